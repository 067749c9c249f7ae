"""The Mahalanobis distance to the nearest class, relative to that to all training images.

Ren, Fort, Liu, Roy, Padhy and Lakshminarayanan (2021): "A Simple Fix to Mahalanobis Distance for Improving
Near-OOD Detection", arXiv 2106.09022.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.detectors._gaussians import centres, squared_distances, whitening
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class RelativeMahalanobis(Detector):
    """Distrusts images whose features are farther from every class than from the training images as a whole.

    The score is the squared distance to the nearest class less that to one normal distribution fitted to all.
    Directions without variance do not count.
    """

    def fit(self, train: Outputs) -> Scorer:
        features = train.features.double()
        means, centred = centres(features, train.labels)
        if len(means) == 1:
            raise ValueError("relative_mahalanobis needs training images of at least 2 classes, got 1")
        centre = features.mean(0, keepdim=True)
        within, background = whitening(centred), whitening(features - centre)

        def score(outputs: Outputs) -> Tensor:
            own = outputs.features.double()
            nearest = squared_distances(own @ within, means @ within).amin(1)
            return nearest - squared_distances(own @ background, centre @ background)[:, 0]

        return score
