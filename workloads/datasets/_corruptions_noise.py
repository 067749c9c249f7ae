"""The corruptions by noise: images (N, C, H, W) in [0, 1] and the constants of a severity -> images."""

from __future__ import annotations

import torch
from torch import Tensor

from workloads.datasets._corruptions_draws import Draws

WHITE = 255


def gaussian_noise(images: Tensor, draws: Draws, sigma: float) -> Tensor:
    """Adds noise of deviation ``sigma``."""
    return images + sigma * draws.normal("noise", *images.shape[1:])


def impulse_noise(images: Tensor, draws: Draws, share: float) -> Tensor:
    """Turns a ``share`` of the values black or white."""
    drawn = draws.uniform("impulse", *images.shape[1:])
    return torch.where(drawn < share, (drawn < share / 2).float(), images)


def shot_noise(images: Tensor, draws: Draws, photons: float) -> Tensor:
    """Counts photons, ``photons`` from a white pixel on average: Poisson noise."""
    levels = torch.arange(WHITE + 1, dtype=torch.float64)[:, None]
    most = int(photons + 10 * photons**0.5 + 20)
    counts, rates = torch.arange(most, dtype=torch.float64), levels * photons / WHITE
    chances = torch.exp(torch.special.xlogy(counts, rates) - rates - torch.lgamma(counts + 1))
    below = chances.cumsum(1).clamp_(max=1)
    below[:, -1] = 1
    # One sorted line for all levels: the quantile function of level l lies between l and l + 1.
    line = (levels + below).flatten()
    mine = (images * WHITE).round().long()
    drawn = mine + draws.uniform("photons", *images.shape[1:]).double()
    found = torch.searchsorted(line, drawn.contiguous(), right=True) - mine * most
    return found.float() / photons
