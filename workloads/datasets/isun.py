"""Photographs of natural scenes, as out-of-distribution papers shrink them.

Xu, Ehinger, Zhang, Finkelstein, Kulkarni and Xiao (2015): "TurkerGaze: Crowdsourcing Saliency with Webcam
based Eye Tracking", arXiv 1504.06755; 8,925 images in the files of Liang, Li and Srikant (2018), arXiv
1706.02690.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.datasets._download import Remote
from workloads.datasets._folder import side_of
from workloads.datasets._unlabelled import unlabelled
from workloads.datasets.base import Dataset, Shape, Split, SplitName

REMOTE = Remote("iSUN.tar.gz", ("https://www.dropbox.com/s/raw/ssz7qxfqae0cca5/iSUN.tar.gz",), unpack=True)


@dataclass(frozen=True)
class Isun(Dataset):
    """Gives 7,140 photographs to test and 1,785 to validate, in colour, 32x32 pixels."""

    size: int | None = None
    """Height and width in pixels; None: those of the network that looks at them."""

    @property
    def classes(self) -> int:
        return 0

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        return unlabelled("isun", "iSUN/iSUN_patches", REMOTE, split, side_of("isun", self.size, shape))
