"""What every augmentation promises: batched, on the device, seeded per sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass(frozen=True)
class Augmentation(ABC):
    """How training images vary from epoch to epoch."""

    version: ClassVar[int] = 1

    @property
    def mixes(self) -> bool:
        """Whether labels are mixed too, so that the objective must take soft targets: a hook, False here."""
        return False

    @abstractmethod
    def augment(
        self, images: Tensor, labels: Tensor, samples: Tensor, seed: int, classes: int
    ) -> tuple[Tensor, Tensor | None]:
        """Images (N, C, H, W) in [0, 1], and soft targets (N, K) where labels (N,) are mixed, else None.

        ``samples`` (N,) are the images' positions in the training split: what an image gets is drawn from
        (``seed``, its position) alone, but for the partner of a mix, which is one of the batch. ``seed``
        changes with every epoch.
        """
