"""The maximum softmax probability.

Hendrycks and Gimpel (2017): "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in
Neural Networks", arXiv 1610.02136.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workloads.detectors._softmax import doubt
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Msp(Detector):
    """Distrusts images whose likeliest known class is not likely.

    The softmax is over all outputs, the maximum over the K known ones. The score is log((1 - p) / p), which
    ranks as -p does but has no ties where p rounds to 1.
    """

    by_probabilities: ClassVar[bool] = True

    def fit(self, train: Outputs) -> Scorer:
        return _score


def _score(outputs: Outputs) -> Tensor:
    return doubt(outputs.logits, outputs.classes)
