"""CutMix (Yun et al., 2019, arXiv 1905.04899).

The paper draws one box for a batch; here every image has its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.augmentations._mixing import mixed_labels, partners, strengths
from workloads.augmentations._pixels import box, span, whole
from workloads.augmentations.base import Augmentation
from workloads.randomness import derive, uniform


@dataclass(frozen=True)
class CutMix(Augmentation):
    """Pastes a box of another image of the batch into each image; the label is mixed by area."""

    alpha: float = 1.0
    """What an image keeps is drawn from Beta(alpha, alpha); it keeps more where the box sticks out."""
    probability: float = 0.5
    """How likely an image is mixed: the authors' 0.5 for CIFAR, 1 for ImageNet."""

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise ValueError(f"alpha must be positive, got {self.alpha}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be in [0, 1], got {self.probability}")

    @property
    def mixes(self) -> bool:
        return True

    def augment(
        self, images: Tensor, labels: Tensor, samples: Tensor, seed: int, classes: int
    ) -> tuple[Tensor, Tensor | None]:
        height, width = images.shape[2:]
        other = partners(seed, samples)
        down, right, chance = uniform(derive(seed, "box"), samples, (3,)).unbind(1)
        side = (1 - strengths(self.alpha, seed, samples)).sqrt()
        side = torch.where(chance < self.probability, side, 0.0)
        rows = _around(whole(down, height), side, height)
        columns = _around(whole(right, width), side, width)
        area = rows.sum(1) * columns.sum(1)
        own = 1 - area / (height * width)
        mixed = torch.where(box(rows, columns), images[other], images)
        return mixed, mixed_labels(labels, labels[other], own, classes)


def _around(centre: Tensor, side: Tensor, extent: int) -> Tensor:
    """A mask (N, extent) of the share ``side`` (N,) of the extent around ``centre`` (N,)."""
    half = (extent * side).long() // 2
    return span(centre - half, centre + half, extent)
