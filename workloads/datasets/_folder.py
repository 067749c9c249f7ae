"""Photographs in folders: which there are, of which class, and the digest of them all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from workloads.datasets._decoded import decoded, listing
from workloads.datasets._parts import mixed
from workloads.datasets._progress import alone, tell
from workloads.datasets._root import cache_root
from workloads.datasets.base import Shape, Split

ENDINGS = {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}


def photographs(folder: Path) -> list[str]:
    """The images in ``folder`` and below it, relative to it, sorted."""
    found = (Path(file) for file in _files(folder))
    return sorted(file.relative_to(folder).as_posix() for file in found if file.suffix.lower() in ENDINGS)


def _files(folder: Path) -> Iterator[str]:
    """Every file in ``folder`` and below it but hidden ones; asks the disk once per folder, not per file."""
    with os.scandir(folder) as found:
        for item in found:
            if item.name.startswith("."):
                continue
            if item.is_dir():
                yield from _files(Path(item.path))
            else:
                yield item.path


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in ``folder`` but hidden ones, sorted: its classes."""
    return sorted(item.name for item in os.scandir(folder) if item.is_dir() and not item.name.startswith("."))


def labelled(folder: Path) -> tuple[list[str], Tensor]:
    """The photographs in ``folder``, relative to it, and their labels (N,): which of the sorted folders.

    Raises:
        RuntimeError: it has no folders, or one has no photograph.
    """
    classes = folders_in(folder)
    of_class = [[f"{name}/{file}" for file in photographs(folder / name)] for name in classes]
    empty = [name for name, files in zip(classes, of_class, strict=True) if not files]
    if empty or not classes:
        what = f"{', '.join(empty)} has none" if empty else "there is none"
        raise RuntimeError(f"{folder}: must have a folder of images for each class, but {what}")
    sizes = torch.tensor([len(files) for files in of_class])
    labels = torch.arange(len(classes)).repeat_interleave(sizes)
    return [file for files in of_class for file in files], labels


def side_of(name: str, size: int | None, shape: Shape | None) -> int:
    """The size that photographs are decoded at: ``size``, else that of the network that looks at them.

    Raises:
        ValueError: neither is given.
    """
    if size is not None:
        return size
    if shape is None:
        raise ValueError(f"{name} has photographs of many sizes: to learn from them, give its size in pixels")
    return max(shape[1:])


def classed(name: str, folder: Path, files: Sequence[str], labels: Tensor, size: int) -> Split:
    """The photographs ``files`` of ``folder`` with their labels (N,), in an order mixed once for ever.

    Mixed because files lie sorted by class, and a part of a split should stand for the whole.
    """
    order = mixed(len(files))
    return decoded(name, folder, [files[at] for at in order.tolist()], labels[order], size)


def digest_of_files(name: str, folder: Path) -> str:
    """The sha256 of what ``sha256sum`` says of all files in ``folder`` but hidden ones, sorted by name.

    In a shell, in the folder: ``find -L * -type f -not -path '*/.*' | LC_ALL=C sort | xargs -d '\\n'
    sha256sum | sha256sum``. Computed once per machine, until a file changes.
    """
    files = sorted((Path(file).relative_to(folder).as_posix() for file in _files(folder)), key=os.fsencode)
    key = hashlib.sha256(f"{folder.resolve()}\n{listing(folder, files)}".encode()).hexdigest()[:16]
    note = cache_root() / "digests" / key
    if not note.exists():
        with alone(f"digest-{key}"):
            note.parent.mkdir(parents=True, exist_ok=True)
            part = note.with_suffix(".part")
            part.write_text(_digest(name, folder, files))
            part.replace(note)
    return note.read_text()


def _digest(name: str, folder: Path, files: Sequence[str]) -> str:
    every = hashlib.sha256()
    for at, file in enumerate(files):
        with (folder / file).open("rb") as opened:
            every.update(f"{hashlib.file_digest(opened, 'sha256').hexdigest()}  {file}\n".encode())
        tell(f"{name}: reading {len(files)} files for their digest", at, at + 1, len(files))
    return every.hexdigest()
