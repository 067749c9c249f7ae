"""Activation scaling (SCALE).

Xu, Chen, Franchi and Yao (2024): "Scaling for Training Time and Post-hoc Out-of-distribution Detection
Enhancement", arXiv 2310.00227.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.detectors._head import check_share, energy, strongest
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Scale(Detector):
    """Distrusts images whose energy is high once their features are scaled by how few of them hold the sum.

    The factor is exp(sum of all features / sum of the largest); none is pruned. The features are the
    penultimate ones, after pooling. The energy is that of the K known classes.
    """

    pruned: float = 0.85
    """The share of each image's features that is left out of the sum of the largest; one is always in it."""

    def __post_init__(self) -> None:
        check_share("pruned", self.pruned)

    def fit(self, train: Outputs) -> Scorer:
        def score(outputs: Outputs) -> Tensor:
            features = outputs.features.double()
            return energy(features * strongest("scale", features, self.pruned)[1].exp(), train)

        return score
