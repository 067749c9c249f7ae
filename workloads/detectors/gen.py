"""The generalised entropy (GEN).

Liu, Lochman and Zach (2023): "GEN: Pushing the Limits of Softmax-Based Out-of-Distribution Detection", CVPR
2023; it has no arXiv id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workloads.detectors._softmax import log_softmax
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Gen(Detector):
    """Distrusts images by a generalised entropy, the sum of (p (1 - p)) ** gamma over the likeliest classes.

    The softmax is over the K known classes alone: an image that is surely unknown would have no entropy.
    """

    by_probabilities: ClassVar[bool] = True

    gamma: float = 0.1
    """How much small probabilities weigh: the smaller, the more."""
    largest: int = 100
    """How many of the likeliest classes are summed over; all where there are fewer."""

    def __post_init__(self) -> None:
        if not 0 < self.gamma < 1:
            raise ValueError(f"gamma must be in (0, 1), got {self.gamma}")
        if self.largest < 1:
            raise ValueError(f"largest must be at least 1, got {self.largest}")

    def fit(self, train: Outputs) -> Scorer:
        def score(outputs: Outputs) -> Tensor:
            taken, left = log_softmax(outputs.known)
            places = taken.topk(min(self.largest, outputs.classes), dim=1).indices
            return (self.gamma * (taken + left).gather(1, places)).exp().sum(1)

        return score
