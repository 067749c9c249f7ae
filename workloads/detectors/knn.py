"""The distance to the k-th nearest training image.

Sun, Ming, Zhu and Li (2022): "Out-of-Distribution Detection with Deep Nearest Neighbors", arXiv 2204.06507.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from workloads.detectors.base import Detector, Outputs, Scorer

#: Similarities held at once: 256 MiB as float64.
HELD = 2**25


@dataclass(frozen=True)
class Knn(Detector):
    """Distrusts images whose features, scaled to length one, are far from the k-th nearest of training."""

    k: int = 50
    """The paper takes 50 for CIFAR-10, 200 for CIFAR-100, 1000 for ImageNet."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k must be at least 1, got {self.k}")

    def fit(self, train: Outputs) -> Scorer:
        if self.k > len(train.features):
            raise ValueError(
                f"k must be at most the number of training images, {len(train.features)}, got {self.k}"
            )
        known = normalize(train.features.double())

        def distances(asked: Tensor) -> Tensor:
            neighbours = (asked @ known.T).topk(self.k, dim=1).indices[:, -1]
            # from the points themselves: of near ones, 2 - 2 * similarity keeps few digits
            return (asked - known[neighbours]).square().sum(1).sqrt()

        def score(outputs: Outputs) -> Tensor:
            parts = torch.split(normalize(outputs.features.double()), max(1, HELD // len(known)))
            return torch.cat([distances(part) for part in parts])

        return score
