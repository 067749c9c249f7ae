"""Certified radii of a classifier that is asked many times under Gaussian noise and answers by vote.

Cohen, Rosenfeld and Kolter (2019): "Certified Adversarial Robustness via Randomized Smoothing",
arXiv 1902.02918.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

HALF = 0.5


def lower_bound(hits: Tensor, draws: int, alpha: float) -> Tensor:
    """What the chance of a hit exceeds with confidence 1 - ``alpha``, from ``hits`` (N,) of ``draws``.

    One-sided Clopper-Pearson, as float64 in [0, 1).
    """
    from scipy.special import betaincinv

    counts = hits.cpu().double()
    bound = betaincinv(counts.clamp(min=1).numpy(), (draws - counts + 1).numpy(), alpha)
    return torch.where(counts > 0, torch.as_tensor(bound), 0.0)


def certified_radii(hits: Tensor, draws: int, sigma: float, alpha: float) -> Tensor:
    """The l2 radius (N,) around each image in which the vote cannot change; NaN where it abstains.

    ``hits`` (N,) are the votes for the class that was chosen by other draws. Each radius is wrong with
    probability ``alpha`` at most; a vote without a majority at that confidence abstains.
    """
    bound = lower_bound(hits, draws, alpha)
    radii: Tensor = sigma * torch.special.ndtri(bound)
    return torch.where(bound >= HALF, radii, math.nan)


def largest_radius(draws: int, sigma: float, alpha: float) -> float:
    """The radius of an image whose every vote is the same: no number of ``draws`` certifies more."""
    return float(certified_radii(torch.tensor([draws]), draws, sigma, alpha))


def certified_accuracy(radii: Tensor, right: Tensor, radius: float) -> float:
    """The share in [0, 1] of images with the right answer (N,) that is certified within ``radius``."""
    return float((right & (radii >= radius)).double().mean())


def mean_radius(radii: Tensor, right: Tensor) -> float:
    """The average certified radius over all images; a wrong answer and an abstention count as 0.

    Zhai et al. (2020): "MACER: Attack-free and Scalable Robust Training via Maximizing Certified Radius",
    arXiv 2001.02378.
    """
    return float(torch.where(right & ~radii.isnan(), radii, 0.0).mean())
