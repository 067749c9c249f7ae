"""Mixes of an image with another one of its batch."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from workloads.randomness import derive, uniform

#: Points of a quantile function; between them it is linear. The error of a strength stays below 0.001.
POINTS = 4097
#: A draw has 24 bits: two of them tell all images of a batch apart.
SECOND = 2.0**-24


def partners(seed: int, samples: Tensor) -> Tensor:
    """Positions (N,) in the batch of each image's partner: the next one on a circle through all, drawn.

    Nobody is its own partner unless alone. The circle belongs to the set of ``samples``, not to their order.
    """
    first, second = uniform(derive(seed, "partners"), samples, (2,)).double().unbind(1)
    circle = (first + SECOND * second).argsort()
    following = torch.empty_like(circle)
    following[circle] = circle.roll(-1)
    return following


def strengths(alpha: float, seed: int, samples: Tensor) -> Tensor:
    """Numbers (N,) in [0, 1] from the distribution Beta(``alpha``, ``alpha``)."""
    drawn = uniform(derive(seed, "strengths"), samples, ())
    if alpha == 1:
        return drawn
    table = _quantiles(alpha, str(samples.device))
    places = drawn * (POINTS - 1)
    left = places.long()
    return table[left] + (places - left) * (table[left + 1] - table[left])


def mixed_labels(labels: Tensor, others: Tensor, own: Tensor, classes: int) -> Tensor:
    """Targets (N, K) that give the share ``own`` (N,) to ``labels`` and the rest to ``others``."""
    mine, theirs = (one_hot(given, classes).to(own.dtype) for given in (labels, others))
    return own[:, None] * mine + (1 - own)[:, None] * theirs


@lru_cache(maxsize=4)
def _quantiles(alpha: float, device: str) -> Tensor:
    """The quantile function of Beta(``alpha``, ``alpha``) at `POINTS` points from 0 to 1."""
    from scipy.special import betaincinv  # half a second: only who mixes waits for it

    probabilities = torch.linspace(0, 1, POINTS, dtype=torch.float64)
    found = torch.from_numpy(betaincinv(alpha, alpha, probabilities.numpy()))
    return found.to(torch.float32).to(device)
