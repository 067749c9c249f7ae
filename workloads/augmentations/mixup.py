"""Mixup (Zhang, Cisse, Dauphin and Lopez-Paz, 2018, arXiv 1710.09412).

The authors draw one strength for a batch; here every image has its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.augmentations._mixing import mixed_labels, partners, strengths
from workloads.augmentations.base import Augmentation


@dataclass(frozen=True)
class Mixup(Augmentation):
    """Blends each image and its label with another one of the batch."""

    alpha: float = 1.0
    """The strength is drawn from Beta(alpha, alpha): 1 is the paper's for CIFAR, 0.2 for ImageNet."""

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise ValueError(f"alpha must be positive, got {self.alpha}")

    @property
    def mixes(self) -> bool:
        return True

    def augment(
        self, images: Tensor, labels: Tensor, samples: Tensor, seed: int, classes: int
    ) -> tuple[Tensor, Tensor | None]:
        other, own = partners(seed, samples), strengths(self.alpha, seed, samples)
        share = own[:, None, None, None]
        blended = share * images + (1 - share) * images[other]
        return blended, mixed_labels(labels, labels[other], own, classes)
