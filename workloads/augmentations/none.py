"""The images as they are."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.augmentations.base import Augmentation


@dataclass(frozen=True)
class NoAugmentation(Augmentation):
    """Every epoch shows the same images."""

    def augment(
        self, images: Tensor, labels: Tensor, samples: Tensor, seed: int, classes: int
    ) -> tuple[Tensor, Tensor | None]:
        return images, None
