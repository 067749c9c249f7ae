"""Normal distributions that are fitted to features."""

from __future__ import annotations

import torch
from torch import Tensor

#: Features are float32: a direction with less of the largest variance than this holds rounding alone.
NOISE = 1e-10


def variances(centred: Tensor) -> tuple[Tensor, Tensor]:
    """The variances of ``centred`` (N, D) along its principal directions, rising, and these as columns."""
    found: tuple[Tensor, Tensor] = torch.linalg.eigh(centred.T @ centred / len(centred))
    return found


def whitening(centred: Tensor) -> Tensor:
    """A matrix (D, R) after which squared lengths are squared Mahalanobis distances.

    It is that of the pseudo-inverse of the covariance: the D - R directions without variance do not count.
    """
    spread, directions = variances(centred)
    varies = (spread > NOISE * spread[-1]) & (spread > 0)
    whitened: Tensor = directions[:, varies] / spread[varies].sqrt()
    return whitened


def centres(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The mean features (C, D) of each class that occurs, and the features (N, D) less the mean of theirs."""
    _, places = torch.unique(labels, return_inverse=True)
    means = torch.stack([features[places == place].mean(0) for place in range(int(places.max()) + 1)])
    return means, features - means[places]


def squared_distances(points: Tensor, means: Tensor) -> Tensor:
    """The squared Euclidean distances (N, C) of ``points`` to ``means``, without cancellation."""
    return torch.cdist(points, means, compute_mode="donot_use_mm_for_euclid_dist").square()
