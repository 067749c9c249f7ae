"""The fixed part of training images that validates."""

from __future__ import annotations

import torch
from torch import Tensor

from workloads.datasets.base import Split, SplitName
from workloads.randomness import uniform


def mixed(count: int, seed: int = 0) -> Tensor:
    """The positions 0 to ``count`` in an order that belongs to ``seed``."""
    return uniform(seed, torch.arange(count), ()).argsort(stable=True)


def parted(labels: Tensor, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The positions, rising, of what stays and of ``count`` images that are held out.

    Every class gives the same share, as nearly as whole images allow.

    Raises:
        ValueError: nothing would stay, or nothing would be held out.
    """
    if not 0 < count < len(labels):
        raise ValueError(
            f"the part for validation must be between 0 and all {len(labels)} training images, got {count}"
        )
    order = mixed(len(labels), seed)
    by_class = order[labels[order].argsort(stable=True)]
    sizes = labels.bincount()
    firsts = sizes.cumsum(0) - sizes
    classes = labels[by_class]
    # How far down its class an image stands, from 0 to 1: the lowest of all classes together are held out.
    depth = (torch.arange(len(labels)) - firsts[classes] + 0.5) / sizes[classes]
    held = by_class[depth.argsort(stable=True)[:count]]
    stays = torch.ones(len(labels), dtype=torch.bool)
    stays[held] = False
    return stays.nonzero()[:, 0], held.sort().values


def part_of(train: Split, split: SplitName, validation: int) -> Split:
    """The images of ``train`` that train, or those ``validation`` many that validate."""
    stays, held = parted(train.labels, validation)
    places = held if split == "validation" else stays
    return Split(train.images[places], train.labels[places])
