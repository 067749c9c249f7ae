"""Splits that are made once per machine and then read from a file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from workloads.datasets._conversion import digest_of
from workloads.datasets._progress import alone
from workloads.datasets._root import cache_root
from workloads.datasets.base import Split

DIGEST = "sha256"


def kept(name: str, make: Callable[[], Split]) -> Split:
    """The split ``name`` (a path): what ``make`` once gave on this machine, or gives where that is damaged.

    One process of the machine makes it, the others wait; it appears whole. The split knows its digest.

    Raises:
        OSError: there is no folder that it could be kept in.
    """
    file = cache_root() / f"{name}.safetensors"
    found = _read(file)
    if found is None:
        with alone(f"make-{file.stem}"):
            found = _read(file)
            if found is None:
                made = make()
                found = Split(made.images, made.labels, digest_of(made))
                _publish(found, file)
    return found


def _read(file: Path) -> Split | None:
    """The split in ``file``; none if there is no such file, or it is not what was written."""
    with suppress(FileNotFoundError, SafetensorError, KeyError, TypeError):
        with safe_open(file, framework="pt") as opened:
            found = Split(opened.get_tensor("images"), opened.get_tensor("labels"))
            written = opened.metadata()[DIGEST]
        if digest_of(found) == written:
            return Split(found.images, found.labels, written)
    return None


def _publish(split: Split, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".") as scratch:
        part = Path(scratch) / file.name
        save_file({"images": split.images, "labels": split.labels}, part, {DIGEST: split.digest})
        part.replace(file)
