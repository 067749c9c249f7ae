"""Data roots for tests: with every data set in miniature, and with nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import write_all

from workloads.datasets._root import VARIABLE


@pytest.fixture(scope="session")
def miniatures(tmp_path_factory) -> Path:
    """A data root with every data set in miniature; no test changes what is in it."""
    root = tmp_path_factory.mktemp("data")
    write_all(root)
    return root


@pytest.fixture
def with_miniatures(miniatures, monkeypatch) -> Path:
    """The miniatures as the data root."""
    monkeypatch.setenv(VARIABLE, str(miniatures))
    return miniatures


@pytest.fixture
def empty_root(tmp_path, monkeypatch) -> Path:
    """A data root with nothing in it."""
    root = tmp_path / "data"
    root.mkdir()
    monkeypatch.setenv(VARIABLE, str(root))
    return root
