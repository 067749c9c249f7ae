"""The training images a criterion looks at: as many of each class, drawn by the seed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.datasets.base import Split
from workloads.randomness import stream

WHITE = 255


@dataclass(frozen=True)
class Samples:
    """Images (N, C, H, W) in [0, 1] and labels (N,) on the network's device; classes take turns."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def parts(self, count: int) -> list[Samples]:
        """``count`` parts, equal to one image and as balanced as the whole; never an empty one."""
        images, labels = (tensor.tensor_split(min(count, len(self))) for tensor in (self.images, self.labels))
        return [Samples(*part) for part in zip(images, labels, strict=True)]


def balanced(split: Split, per_class: int, seed: int, device: torch.device) -> Samples:
    """``per_class`` images of each class in ``split``; a class with fewer images comes round again."""
    turns = [order[torch.arange(per_class) % len(order)] for order in _by_class(split.labels, seed)]
    places = torch.stack(turns, 1).flatten()
    return Samples(split.images[places].to(device).float() / WHITE, split.labels[places].to(device))


def in_turns(labels: Tensor, count: int, seed: int) -> Tensor:
    """Places of ``count`` images, none twice: classes take turns until one has no more."""
    orders = _by_class(labels, seed)
    turns = torch.cat([torch.arange(len(order)) for order in orders])
    return torch.cat(orders)[torch.sort(turns, stable=True).indices[:count]]


def _by_class(labels: Tensor, seed: int) -> list[Tensor]:
    """The places of each class's images, in an order drawn by the seed."""
    found = []
    for label in torch.unique(labels).tolist():
        mine = (labels == label).nonzero().flatten()
        found.append(mine[torch.randperm(len(mine), generator=stream(seed, "samples", label))])
    return found
