"""The images that test Tiny ImageNet, spoiled.

Hendrycks and Dietterich (2019): "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", arXiv 1903.12261.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.datasets._corruptions import Corruption, check_severity, refuse_learning
from workloads.datasets._download import Remote, files_of
from workloads.datasets._folder import classed, labelled
from workloads.datasets.base import Dataset, Shape, Split, SplitName
from workloads.datasets.tiny_imagenet import CLASSES, KINDS

FOLDER = "Tiny-ImageNet-C"
REMOTE = Remote(
    f"{FOLDER}.tar", (f"https://zenodo.org/records/2536630/files/{FOLDER}.tar?download=1",), unpack=True
)


@dataclass(frozen=True)
class TinyImagenetC(Dataset):
    """Gives the 10,000 images that test Tiny ImageNet with one corruption; there is nothing to train on."""

    corruption: Corruption
    severity: int = 5
    """1, hardly to be seen, to 5."""
    size: int = 64
    """Height and width in pixels, as those of the Tiny ImageNet that the network has learned."""

    def __post_init__(self) -> None:
        check_severity(self.severity)
        if self.size < 1:
            raise ValueError(f"size must be at least 1 pixel, got {self.size}")

    @property
    def classes(self) -> int:
        return CLASSES

    @property
    def alteration(self) -> str:
        return f"{self.corruption} {self.severity}"

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset(KINDS)

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        refuse_learning("tiny_imagenet_c", split)
        needed = [f"{FOLDER}/{self.corruption}/{self.severity}"]
        (folder,) = files_of("tiny_imagenet_c", needed, lambda: [REMOTE])
        return classed("tiny_imagenet_c", folder, *labelled(folder), self.size)
