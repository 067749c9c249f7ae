"""Handwritten digits.

LeCun, Bottou, Bengio and Haffner (1998): "Gradient-Based Learning Applied to Document Recognition".
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.datasets._idx import CLASSES, DIGITS, idx_split
from workloads.datasets.base import Dataset, Shape, Split, SplitName


@dataclass(frozen=True)
class Mnist(Dataset):
    """Gives the digits 0 to 9 in grey, 28x28 pixels: 10,000 to test."""

    validation: int = 10_000
    """Of the 60,000 training images, so many validate."""

    @property
    def classes(self) -> int:
        return CLASSES

    @property
    def concepts(self) -> frozenset[str]:
        return DIGITS

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        return idx_split("MNIST", split, self.validation)
