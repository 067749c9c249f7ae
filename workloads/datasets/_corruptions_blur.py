"""The corruptions by blur: images (N, C, H, W) in [0, 1] and the constants of a severity -> images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workloads.datasets._corruptions_draws import Draws
from workloads.datasets._corruptions_optics import disk, filtered, softened, streaked, zoomed
from workloads.datasets._corruptions_severities import in_pixels


def defocus_blur(images: Tensor, draws: Draws, radius: float, sigma: float) -> Tensor:
    """Spreads every pixel over a disk."""
    return filtered(images, disk(in_pixels(radius, images), sigma))


def glass_blur(images: Tensor, draws: Draws, sigma: float, farthest: float, rounds: float) -> Tensor:
    """Swaps pixels with neighbours, one after another, between two blurs."""
    deviation, reach = in_pixels(sigma, images), round(in_pixels(farthest, images))
    height, width = images.shape[2:]
    drawn = draws.uniform("swaps", int(rounds), 2, height * width, low=-reach, high=reach)
    moves = drawn.floor().long().permute(1, 2, 3, 0).contiguous().numpy()
    pixels = np.arange(height * width)[:, None].repeat(len(images), axis=1)
    each = np.arange(len(images))
    for down, across in moves:
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                here = row * width + column
                there = here + down[here] * width + across[here]
                mine = pixels[here].copy()
                pixels[here] = pixels[there, each]
                pixels[there, each] = mine
    soft = softened(images, deviation).flatten(2)
    places = torch.from_numpy(pixels.T.copy())[:, None].expand_as(soft)
    return softened(soft.gather(2, places).view_as(images), deviation)


def motion_blur(images: Tensor, draws: Draws, half_width: float, sigma: float) -> Tensor:
    """Blurs along a direction within 45 degrees of the horizontal."""
    degrees = draws.uniform("direction", low=-45, high=45)
    return streaked(images, degrees, in_pixels(half_width, images), in_pixels(sigma, images))


def zoom_blur(images: Tensor, draws: Draws, percent: float) -> Tensor:
    """Averages the image with enlargements of it."""
    parts = [zoomed(images, 1 + step / 100) for step in range(int(percent))]
    return (images + torch.stack(parts).sum(0)) / (len(parts) + 1)
