"""Several augmentations, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.augmentations.base import Augmentation
from workloads.augmentations.crop_flip import CropFlip
from workloads.augmentations.cutout import Cutout
from workloads.randomness import derive


@dataclass(frozen=True)
class Compose(Augmentation):
    """Applies ``steps`` in their order, each with numbers of its own; one of them may mix labels."""

    steps: tuple[Augmentation, ...] = (CropFlip(), Cutout())

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("steps must hold at least one augmentation, got none")
        if (mixing := sum(step.mixes for step in self.steps)) > 1:
            raise ValueError(f"steps may hold one augmentation that mixes labels, got {mixing}")

    @property
    def mixes(self) -> bool:
        return any(step.mixes for step in self.steps)

    def augment(
        self, images: Tensor, labels: Tensor, samples: Tensor, seed: int, classes: int
    ) -> tuple[Tensor, Tensor | None]:
        targets = None
        for place, step in enumerate(self.steps):
            images, mixed = step.augment(images, labels, samples, derive(seed, place), classes)
            targets = targets if mixed is None else mixed
        return images, targets
