"""The votes of a network about an image under Gaussian noise: the smoothed classifier.

Cohen, Rosenfeld and Kolter (2019): "Certified Adversarial Robustness via Randomized Smoothing",
arXiv 1902.02918.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets._conversion import as_float
from workloads.randomness import derive, normal
from workloads.training.evaluation import BATCH


@torch.no_grad()
def answers(network: Network, image: Tensor, place: Tensor, draws: int, *, sigma: float, seed: int) -> Tensor:
    """The likeliest known class (draws,) of ``image`` (1, C, H, W) of uint8 with fresh noise each time.

    ``sigma`` is in units of the pixel range [0, 1], which noisy images may leave. ``place`` (1,) is the
    image's position in its split: noise is drawn from (``seed``, position, number of the draw) alone, so more
    draws begin with the same answers. The caller sets the network's mode.
    """
    device = network.mean.device
    clean, place, found = as_float(image.to(device)), place.to(device), []
    for block, first in enumerate(range(0, draws, BATCH)):
        shape = (min(BATCH, draws - first), *network.shape)
        noise = normal(derive(seed, "smoothing", block), place, shape)[0]
        found.append(network(clean + sigma * noise)[:, : network.classes].argmax(1))
    return torch.cat(found)
