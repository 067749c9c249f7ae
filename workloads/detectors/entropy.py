"""The entropy of the softmax.

Chan, Rottmann and Gottschalk (2021): "Entropy Maximization and Meta Classification for Out-of-Distribution
Detection in Semantic Segmentation", arXiv 2012.06575.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workloads.detectors._softmax import log_softmax
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Entropy(Detector):
    """Distrusts images whose probabilities are spread over many classes: their entropy in nats.

    The softmax is over the K known classes alone: an image that is surely unknown would have no entropy.
    """

    by_probabilities: ClassVar[bool] = True

    def fit(self, train: Outputs) -> Scorer:
        return _score


def _score(outputs: Outputs) -> Tensor:
    logs, _ = log_softmax(outputs.known)
    return -(logs.exp() * logs).sum(1)
