"""Small photographs of ten kinds of things.

Krizhevsky (2009): "Learning Multiple Layers of Features from Tiny Images".
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.datasets._cifar import cifar_split
from workloads.datasets.base import Dataset, Shape, Split, SplitName

KINDS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Cifar10(Dataset):
    """Gives photographs in colour, 32x32 pixels: 10,000 to test."""

    validation: int = 5_000
    """Of the 50,000 training images, so many validate."""

    @property
    def classes(self) -> int:
        return len(KINDS)

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset(KINDS)

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        return cifar_split("CIFAR10", split, self.validation)
