"""Activation shaping (ASH).

Djurisic, Bozanic, Ashok and Liu (2023): "Extremely Simple Activation Shaping for Out-of-Distribution
Detection", arXiv 2209.09858.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from workloads.detectors._head import check_share, energy, strongest
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Ash(Detector):
    """Distrusts images whose energy is high once most of their features are pruned and the rest is shaped.

    It shapes penultimate features after pooling, as OpenOOD does. The energy is that of the K known classes.
    """

    variant: Literal["s", "b", "p"] = "s"
    """What is left of an image is scaled up the more was pruned (s), becomes one value with the sum of all
    (b), or stays (p)."""
    pruned: float = 0.9
    """The share of each image's features that is set to zero, the smallest first; one is always left."""

    def __post_init__(self) -> None:
        check_share("pruned", self.pruned)

    def fit(self, train: Outputs) -> Scorer:
        def score(outputs: Outputs) -> Tensor:
            return energy(self._shaped(outputs.features.double()), train)

        return score

    def _shaped(self, features: Tensor) -> Tensor:
        left, ratio = strongest("ash", features, self.pruned)
        if self.variant == "s":
            return left * ratio.exp()
        if self.variant == "b":
            places = left > 0
            return places * (features.sum(1, keepdim=True) / places.sum(1, keepdim=True).clamp(min=1))
        return left
