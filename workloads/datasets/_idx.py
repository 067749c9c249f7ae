"""Data sets in the files of MNIST.

torchvision says where such files are and what they are called; they are read here, because torchvision takes
seconds to import, and only unpacked files.
"""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import torch
from torch import Tensor

from workloads.datasets._download import Remote, files_of
from workloads.datasets._parts import part_of
from workloads.datasets.base import Split, SplitName

#: What the first four bytes say: two zeros, bytes without a sign, and how many dimensions follow.
MAGIC = b"\0\0\x08"
SIZE_BYTES = 4
CLASSES = 10
DIGITS = frozenset(str(digit) for digit in range(CLASSES))


def idx_split(name: str, split: SplitName, validation: int) -> Split:
    """A split of the set that torchvision calls ``name`` (``MNIST``), 28x28 pixels in grey.

    Raises:
        RuntimeError: its files are missing or damaged.
    """
    stem = "t10k" if split == "test" else "train"
    needed = [f"{name}/raw/{stem}-{kind}" for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    images, labels = (read_idx(path) for path in files_of(name, needed, lambda: _remotes(name)))
    found = Split(images[:, None], labels.to(torch.int64))
    return found if split == "test" else part_of(found, split, validation)


def read_idx(path: Path) -> Tensor:
    """The array of uint8 in an idx file, plain or packed with gzip.

    Raises:
        RuntimeError: it is none, or not whole.
    """
    try:
        packed = path.read_bytes()
        raw = gzip.decompress(packed) if path.suffix == ".gz" else packed
    except (EOFError, gzip.BadGzipFile) as error:
        raise RuntimeError(f"{path}: must be an idx file packed with gzip, but {error}; delete it") from error
    start = SIZE_BYTES * (1 + raw[3]) if raw[:3] == MAGIC else 0
    sizes = [int.from_bytes(raw[at : at + SIZE_BYTES], "big") for at in range(SIZE_BYTES, start, SIZE_BYTES)]
    if not start or len(raw) != start + math.prod(sizes):
        raise RuntimeError(
            f"{path}: must be a whole idx file of bytes; delete it to have it downloaded again"
        )
    return torch.frombuffer(bytearray(raw[start:]), dtype=torch.uint8).view(sizes)


def _remotes(name: str) -> list[Remote]:
    from torchvision import datasets

    kind = getattr(datasets, name)
    return [
        Remote(f"{name}/raw/{file}", tuple(mirror + file for mirror in kind.mirrors), md5)
        for file, md5 in kind.resources
    ]
