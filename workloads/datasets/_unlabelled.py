"""Photographs without labels, for out-of-distribution tests only."""

from __future__ import annotations

import torch

from workloads.datasets._decoded import decoded
from workloads.datasets._download import Remote, files_of
from workloads.datasets._folder import photographs
from workloads.datasets._parts import mixed
from workloads.datasets.base import Split, SplitName

#: The share of the photographs that validates; the others are to test.
VALIDATION = 0.2


def unlabelled(name: str, folder: str, remote: Remote, split: SplitName, size: int) -> Split:
    """A fixed part of all photographs below ``folder``; all labels are 0.

    Raises:
        ValueError: ``split`` is ``train``.
        RuntimeError: there are none and they cannot be downloaded.
    """
    if split == "train":
        raise ValueError(f"{name} is for out-of-distribution tests: validation or test, not train")
    (path,) = files_of(name, [folder], lambda: [remote])
    files = photographs(path)
    border = round(VALIDATION * len(files))
    order = mixed(len(files)).tolist()
    chosen = [files[at] for at in (order[:border] if split == "validation" else order[border:])]
    if not chosen:
        raise RuntimeError(f"{path}: must hold at least 5 images, got {len(files)}; delete it")
    return decoded(name, path, chosen, torch.zeros(len(chosen), dtype=torch.int64), size)
