"""Matching of the softmax with the typical one of each class.

Hendrycks, Basart, Mazeika, Zou, Kwon, Mostajabi, Steinhardt and Song (2022): "Scaling Out-of-Distribution
Detection for Real-World Settings", arXiv 1911.11132.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workloads.detectors._softmax import log_softmax
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class KlMatching(Detector):
    """Distrusts images whose probabilities are far, in KL divergence, from the typical ones of every class.

    Those of a class are the mean over the training images that are taken for it (the paper takes validation
    images); a class that no training image is taken for has none. Probabilities are over all outputs, and an
    image is taken for one of the K known classes.
    """

    by_probabilities: ClassVar[bool] = True

    def fit(self, train: Outputs) -> Scorer:
        logs, answers = log_softmax(train.logits)[0], train.known.argmax(1)
        typical = torch.stack(
            [
                logs[answers == answer].logsumexp(0) - math.log(int((answers == answer).sum()))
                for answer in torch.unique(answers)
            ]
        )

        def score(outputs: Outputs) -> Tensor:
            own, _ = log_softmax(outputs.logits)
            p = own.exp()
            return ((p * own).sum(1, keepdim=True) - p @ typical.T).amin(1)

        return score
