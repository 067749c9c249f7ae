"""Cutout (DeVries and Taylor, 2017, arXiv 1708.04552).

The paper fills the square with the mean of the data, which an augmentation does not see.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.augmentations._pixels import box, span, whole
from workloads.augmentations.base import Augmentation
from workloads.randomness import uniform


@dataclass(frozen=True)
class Cutout(Augmentation):
    """Covers a square of each image; its centre is any pixel, so it may stick out."""

    size: int | None = None
    """Pixels; none given: half of the shorter side, 16 at 32 as the paper has for CIFAR-10 (8: CIFAR-100)."""
    fill: float = 0.5
    """What the square shows, from black (0) to white (1)."""

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")
        if not 0 <= self.fill <= 1:
            raise ValueError(f"fill must be in [0, 1], got {self.fill}")

    def augment(
        self, images: Tensor, labels: Tensor, samples: Tensor, seed: int, classes: int
    ) -> tuple[Tensor, Tensor | None]:
        height, width = images.shape[2:]
        size = min(height, width) // 2 if self.size is None else self.size
        down, right = uniform(seed, samples, (2,)).unbind(1)
        top, left = whole(down, height) - size // 2, whole(right, width) - size // 2
        covered = box(span(top, top + size, height), span(left, left + size, width))
        return torch.where(covered, self.fill, images), None
