"""Handwritten Japanese characters, in the files of MNIST.

Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto and Ha (2018): "Deep Learning for Classical Japanese
Literature", arXiv 1812.01718.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.datasets._idx import CLASSES, idx_split
from workloads.datasets.base import Dataset, Shape, Split, SplitName

KANA = frozenset("おきすつなはまやれを")


@dataclass(frozen=True)
class Kmnist(Dataset):
    """Gives ten characters of hiragana in grey, 28x28 pixels: 10,000 to test."""

    validation: int = 10_000
    """Of the 60,000 training images, so many validate."""

    @property
    def classes(self) -> int:
        return CLASSES

    @property
    def concepts(self) -> frozenset[str]:
        return KANA

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        return idx_split("KMNIST", split, self.validation)
