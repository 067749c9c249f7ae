"""Pictures of clothes, in the files of MNIST.

Xiao, Rasul and Vollgraf (2017): "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", arXiv 1708.07747.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.datasets._idx import CLASSES, idx_split
from workloads.datasets.base import Dataset, Shape, Split, SplitName

KINDS = frozenset(
    ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
)


@dataclass(frozen=True)
class FashionMnist(Dataset):
    """Gives ten kinds of clothes in grey, 28x28 pixels: 10,000 to test."""

    validation: int = 10_000
    """Of the 60,000 training images, so many validate."""

    @property
    def classes(self) -> int:
        return CLASSES

    @property
    def concepts(self) -> frozenset[str]:
        return KINDS

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        return idx_split("FashionMNIST", split, self.validation)
