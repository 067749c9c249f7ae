"""A store, a folder in which stages leave what they did, and a Ray that is really started."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import pytest
from importable import stages_importable
from small_plans import Heard

from orchestrator.storage import open_store


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
