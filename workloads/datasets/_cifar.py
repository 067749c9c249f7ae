"""CIFAR-10 and CIFAR-100 in the files of their authors' Python version.

These files are pickles, and a pickle can run code when it is read. So they are read by a reader that makes
arrays and nothing else: whatever lies there runs nothing, and no checksum over 170 MB is needed for that in
every process. torchvision, which would, says where the files are and what they are called.
"""

from __future__ import annotations

import _codecs
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from workloads.datasets._download import Remote, files_of
from workloads.datasets._parts import part_of
from workloads.datasets.base import Split, SplitName

FOLDERS = {"CIFAR10": "cifar-10-batches-py", "CIFAR100": "cifar-100-python"}
TEN_FILES = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
HUNDRED_FILES = {"train": ["train"], "test": ["test"]}
SHAPE = (3, 32, 32)
_REBUILD = np.zeros(0).__reduce__()[0]
#: All that a pickled array names, in the words of numpy before and after its version 2.
HARMLESS = {
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy.core.multiarray", "_reconstruct"): _REBUILD,
    ("numpy._core.multiarray", "_reconstruct"): _REBUILD,
    ("_codecs", "encode"): _codecs.encode,
}


def cifar_split(name: Literal["CIFAR10", "CIFAR100"], split: SplitName, validation: int) -> Split:
    """A split of one of the two sets, 32x32 pixels in colour.

    Raises:
        RuntimeError: its files are missing or damaged.
    """
    files = TEN_FILES if name == "CIFAR10" else HUNDRED_FILES
    needed = [f"{FOLDERS[name]}/{file}" for file in files["test" if split == "test" else "train"]]
    found = _joined(files_of(name, needed, lambda: _remotes(name)))
    return found if split == "test" else part_of(found, split, validation)


def _joined(paths: Sequence[Path]) -> Split:
    """The images and fine labels of several files."""
    parts = [read_batch(path) for path in paths]
    images, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    return Split(images, labels)


def read_batch(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The images (N, 3, 32, 32) and labels (N,) of one file.

    Raises:
        RuntimeError: it does not hold them, or names something that is no part of an array.
    """
    try:
        with path.open("rb") as file:
            found = _ArrayReader(file, encoding="latin1").load()
        images = torch.from_numpy(np.ascontiguousarray(found["data"], dtype=np.uint8)).view(-1, *SHAPE)
        labels = torch.tensor(found.get("labels", found.get("fine_labels")), dtype=torch.int64)
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RuntimeError(
            f"{path}: must be a batch of CIFAR's Python version, but {error}; delete it"
        ) from error
    if len(images) != len(labels):
        raise RuntimeError(f"{path}: must have a label for each of {len(images)} images, got {len(labels)}")
    return images, labels


class _ArrayReader(pickle.Unpickler):
    """Unpickles dictionaries, lists, texts, numbers and arrays; anything else is refused, not run."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        found = HARMLESS.get((module_name, global_name))
        if found is None:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}, which no array needs")
        return found


def _remotes(name: str) -> list[Remote]:
    from torchvision import datasets

    kind = getattr(datasets, name)
    return [Remote(kind.filename, (kind.url,), kind.tgz_md5, unpack=True)]
