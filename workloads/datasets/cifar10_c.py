"""The test images of CIFAR-10, spoiled.

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
from workloads.datasets.cifar10 import KINDS

REMOTE = Remote(
    "CIFAR-10-C.tar",
    ("https://zenodo.org/records/2535967/files/CIFAR-10-C.tar?download=1",),
    "56bf5dcef84df0e2308c6dcbcbbd8499",
    unpack=True,
)


@dataclass(frozen=True)
class Cifar10C(Dataset):
    """Gives the 10,000 test images of CIFAR-10 with one corruption; there is nothing to train on."""

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
        refuse_learning("cifar10_c", split)
        return cifar_c_split("CIFAR-10-C", self.corruption, self.severity, REMOTE)
