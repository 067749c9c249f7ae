"""Photographs of rooms and buildings, as out-of-distribution papers cut or shrink them.

Yu, Seff, Zhang, Song, Funkhouser and Xiao (2015): "LSUN: Construction of a Large-scale Image Dataset using
Deep Learning with Humans in the Loop", arXiv 1506.03365; the 10,000 images to test in the files of Liang, Li
and Srikant (2018), arXiv 1706.02690.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workloads.datasets._download import Remote
from workloads.datasets._folder import side_of
from workloads.datasets._unlabelled import unlabelled
from workloads.datasets.base import Dataset, Shape, Split, SplitName

FOLDERS = {"crop": "LSUN/test", "resize": "LSUN_resize/LSUN_resize"}
REMOTES = {
    "crop": Remote(
        "LSUN.tar.gz",
        ("https://www.dropbox.com/s/raw/fhtsw1m3qxlwj6h/LSUN.tar.gz",),
        "458a0a0ab8e5f1cb4516d7400568e460",
        unpack=True,
    ),
    "resize": Remote(
        "LSUN_resize.tar.gz",
        ("https://www.dropbox.com/s/raw/moqh2wh8696c3yl/LSUN_resize.tar.gz",),
        "278b7b31c8cb7e804a1465a8ce03a2dc",
        unpack=True,
    ),
}


@dataclass(frozen=True)
class Lsun(Dataset):
    """Gives 8,000 photographs to test and 2,000 to validate, in colour, 32x32 pixels."""

    kind: Literal["crop", "resize"] = "resize"
    """Cut out of the photograph, or the photograph made small (without antialiasing, by its authors)."""
    size: int | None = None
    """Height and width in pixels; None: those of the network that looks at them."""

    @property
    def classes(self) -> int:
        return 0

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset(("bridge", "church", "restaurant", "tower"))

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        size = side_of("lsun", self.size, shape)
        return unlabelled("lsun", FOLDERS[self.kind], REMOTES[self.kind], split, size)
