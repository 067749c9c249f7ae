"""Directed sparsification (DICE).

Sun and Li (2022): "DICE: Leveraging Sparsification for Out-of-Distribution Detection", arXiv 2111.09805.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.detectors._head import check_share, energy
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Dice(Detector):
    """Distrusts images whose energy is high with the weights of the last layer that matter in training alone.

    A weight's contribution is its product with the mean training feature. Energy and weights are those of the
    K known classes.
    """

    sparsity: float = 0.9
    """The share of these weights, of all classes together, that is left out: those contributing least."""

    def __post_init__(self) -> None:
        check_share("sparsity", self.sparsity)

    def fit(self, train: Outputs) -> Scorer:
        weight = train.weight[: train.classes].double()
        contributions = weight * train.features.double().mean(0)
        left = contributions > contributions.quantile(self.sparsity)
        kept = weight * left if self.sparsity else weight

        def score(outputs: Outputs) -> Tensor:
            return energy(outputs.features.double(), train, kept)

        return score
