"""The maximum logit.

Hendrycks, Basart, Mazeika, Zou, Kwon, Mostajabi, Steinhardt and Song (2022): "Scaling Out-of-Distribution
Detection for Real-World Settings", arXiv 1911.11132.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class MaxLogit(Detector):
    """Distrusts images whose largest logit among the K known classes is small."""

    def fit(self, train: Outputs) -> Scorer:
        return _score


def _score(outputs: Outputs) -> Tensor:
    return -outputs.known.amax(1)
