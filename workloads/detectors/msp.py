"""The maximum softmax probability.

Hendrycks and Gimpel (2017): "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in
Neural Networks", arXiv 1610.02136.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Msp(Detector):
    """Distrusts images whose likeliest known class is not likely.

    The softmax is over all outputs, the maximum over the K known ones. The score is log((1 - p) / p), which
    ranks as -p does but has no ties where p rounds to 1.
    """

    def fit(self, train: Outputs) -> Scorer:
        return _score


def _score(outputs: Outputs) -> Tensor:
    logits = outputs.logits.double()
    likeliest, place = logits[:, : outputs.classes].max(1)
    others = logits.scatter(1, place[:, None], -torch.inf)
    return others.logsumexp(1) - likeliest
