"""The images of another data set, spoiled in one of the fifteen common ways.

Hendrycks and Dietterich (2019): "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", arXiv 1903.12261. The constants are those of CIFAR-10-C, for images of any size; the ice of
``frost`` is generated, not photographed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from workloads.datasets._conversion import digest_of
from workloads.datasets._corruptions import Corruption, check_severity
from workloads.datasets._corruptions_made import spoiled
from workloads.datasets._kept import kept
from workloads.datasets.base import Dataset, Shape, Split, SplitName
from workloads.randomness import derive


@dataclass(frozen=True)
class Corrupted(Dataset):
    """Spoils the images of every split of ``dataset``, at their own size; made once per machine."""

    dataset: Dataset
    corruption: Corruption
    severity: int = 5
    """1, hardly to be seen, to 5."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_severity(self.severity)

    @property
    def classes(self) -> int:
        return self.dataset.classes

    @property
    def alteration(self) -> str:
        return f"{self.corruption} {self.severity}"

    @property
    def concepts(self) -> frozenset[str]:
        return self.dataset.concepts

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        clean = self.dataset.load(split, shape)
        parts = (self.version, self.seed, split, digest_of(clean))
        key = hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:16]
        return kept(
            f"corrupted/{self.corruption}-{self.severity}-{split}-{key}", lambda: self._made(clean, split)
        )

    def _made(self, clean: Split, split: SplitName) -> Split:
        """``clean`` spoiled anew."""
        seed = derive(self.seed, "corrupted", split)
        return Split(spoiled(clean.images, self.corruption, self.severity, seed), clean.labels)
