"""The Mahalanobis distance to the nearest class.

Lee, Lee, Lee and Shin (2018): "A Simple Unified Framework for Detecting Out-of-Distribution Samples and
Adversarial Attacks", arXiv 1807.03888.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.detectors._gaussians import centres, squared_distances, whitening
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Mahalanobis(Detector):
    """Distrusts images whose features are far from the mean of every class: the squared distance.

    The classes share one covariance. This is the distance on penultimate features alone: without the
    perturbed input and the weighted layers of the paper, which it fits to out-of-distribution images.
    Directions in which no class varies do not count.
    """

    def fit(self, train: Outputs) -> Scorer:
        means, centred = centres(train.features.double(), train.labels)
        whiten = whitening(centred)

        def score(outputs: Outputs) -> Tensor:
            return squared_distances(outputs.features.double() @ whiten, means @ whiten).amin(1)

        return score
