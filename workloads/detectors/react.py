"""Rectified activations (ReAct).

Sun, Guo and Li (2021): "ReAct: Out-of-distribution Detection With Rectified Activations", arXiv 2111.12797.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from workloads.detectors._head import check_share, energy
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class React(Detector):
    """Distrusts images whose energy is high once no feature may exceed what is usual in training.

    The energy is that of the K known classes.
    """

    quantile: float = 0.9
    """The share of the training images' features, of all dimensions together, that is left as it is."""

    def __post_init__(self) -> None:
        check_share("quantile", self.quantile)

    def fit(self, train: Outputs) -> Scorer:
        # torch.quantile refuses more than 16 million numbers
        limit = float(np.quantile(train.features.double().cpu().numpy(), self.quantile))

        def score(outputs: Outputs) -> Tensor:
            return energy(outputs.features.double().clamp(max=limit), train)

        return score
