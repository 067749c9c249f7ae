"""Where data sets lie on this machine: what was downloaded and what was made once."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SPARSWEEP_DATA"
HOME = Path("~/.cache/sparsweep")


def data_root() -> Path:
    """The folder that the environment variable ``SPARSWEEP_DATA`` names, else ``~/.cache/sparsweep``."""
    return Path(os.environ.get(VARIABLE) or HOME).expanduser()


def cache_root() -> Path:
    """Where what is made of data sets lies: in the data root, but at home where that is only for reading."""
    root = data_root()
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    return (root if os.access(there, os.W_OK) else HOME.expanduser()) / "made"
