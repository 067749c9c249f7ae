"""The test images of CIFAR-100, spoiled.

Hendrycks and Dietterich (2019): "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", arXiv 1903.12261.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.datasets._corruptions import (
    AnyCorruption,
    check_severity,
    cifar_c_split,
    refuse_learning,
)
from workloads.datasets._download import Remote
from workloads.datasets.base import Dataset, Shape, Split, SplitName
from workloads.datasets.cifar100 import KINDS

REMOTE = Remote(
    "CIFAR-100-C.tar",
    ("https://zenodo.org/records/3555552/files/CIFAR-100-C.tar?download=1",),
    "11f0ed0f1191edbf9fa23466ae6021d3",
    unpack=True,
)


@dataclass(frozen=True)
class Cifar100C(Dataset):
    """Gives the 10,000 test images of CIFAR-100 with one corruption; there is nothing to train on."""

    corruption: AnyCorruption
    severity: int = 5
    """1, hardly to be seen, to 5."""

    def __post_init__(self) -> None:
        check_severity(self.severity)

    @property
    def classes(self) -> int:
        return len(KINDS)

    @property
    def alteration(self) -> str:
        return f"{self.corruption} {self.severity}"

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset(KINDS)

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        refuse_learning("cifar100_c", split)
        return cifar_c_split("CIFAR-100-C", self.corruption, self.severity, REMOTE)
