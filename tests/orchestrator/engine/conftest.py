"""A store, a folder in which stages leave what they did, and a Ray that is really started."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from plans import Heard

from orchestrator.storage import open_store

HERE = Path(__file__).resolve().parent


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


@pytest.fixture
def heard():
    return Heard()


@contextmanager
def stages_importable():
    """Inside, processes that are started find the stages of these tests."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *([before] if before else [])])
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@contextmanager
def started_ray(**options):
    import ray

    with stages_importable():
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=80 * 2**20,
            **options,
        )
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def two_cpus():
    with started_ray(num_cpus=2):
        yield


@pytest.fixture(scope="module")
def one_cpu():
    with started_ray(num_cpus=1):
        yield


@pytest.fixture(scope="module")
def four_gpus():
    with started_ray(num_cpus=8, num_gpus=4):
        yield
