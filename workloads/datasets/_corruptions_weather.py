"""The corruptions by weather: images (N, C, H, W) in [0, 1] and the constants of a severity -> images.

The benchmark lays photographs of frost over images; here the ice is generated, so frost is the one corruption
that is not the benchmark's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workloads.datasets._corruptions_draws import Draws
from workloads.datasets._corruptions_optics import streaked, zoomed
from workloads.datasets._corruptions_severities import in_pixels

COLOUR = 3
#: ITU-R BT.601: what red, green and blue add to the luma.
LUMA = (0.299, 0.587, 0.114)
#: The colour of the ice, and how fast its roughness falls with the scale.
ICE, ICE_DECAY = (0.8, 0.9, 1.0), 1.75


def snow(images: Tensor, draws: Draws, *constants: float) -> Tensor:
    """Whitens the image and lets flakes fall in one direction, and once more upside down."""
    mean, sigma, size, threshold, half_width, streak, kept = constants
    flakes = mean + sigma * draws.normal("flakes", 1, *images.shape[2:])
    flakes = zoomed(flakes, in_pixels(size, images))
    flakes = torch.where(flakes < threshold, 0.0, flakes.clamp(0, 1))
    degrees = draws.uniform("direction", low=-135, high=-45)
    flakes = streaked(flakes, degrees, in_pixels(half_width, images), in_pixels(streak, images))
    whitened = torch.maximum(images, 1.5 * _luma(images) + 0.5)
    return kept * images + (1 - kept) * whitened + flakes + flakes.flip(2, 3)


def frost(images: Tensor, draws: Draws, kept: float, ice: float) -> Tensor:
    """Adds ridges of ice."""
    ridges = 1 - (2 * _plasma(images, draws, ICE_DECAY) - 1).abs()
    colour = torch.tensor(ICE) if images.shape[1] == COLOUR else torch.tensor([_weighted(ICE)])
    return kept * images + ice * ridges * colour[:, None, None]


def fog(images: Tensor, draws: Draws, thickness: float, decay: float) -> Tensor:
    """Adds a cloud and keeps the brightest value."""
    brightest = images.amax((1, 2, 3), keepdim=True)
    return (images + thickness * _plasma(images, draws, decay)) * brightest / (brightest + thickness)


def brightness(images: Tensor, draws: Draws, more: float) -> Tensor:
    """Raises the value of each pixel (its brightest channel) and leaves hue and saturation."""
    value = images.amax(1, keepdim=True)
    raised = (value + more).clamp(max=1)
    return torch.where(value > 0, images * raised / value.clamp(min=torch.finfo(value.dtype).tiny), raised)


def _luma(images: Tensor) -> Tensor:
    """The brightness (N, 1, H, W) of colours; of other channels the mean."""
    if images.shape[1] != COLOUR:
        return images.mean(1, keepdim=True)
    return sum(share * images[:, at, None] for at, share in enumerate(LUMA))  # type: ignore[return-value]


def _weighted(colour: tuple[float, ...]) -> float:
    """The luma of one colour."""
    return sum(share * value for share, value in zip(LUMA, colour, strict=True))


def _plasma(images: Tensor, draws: Draws, decay: float) -> Tensor:
    """Clouds (N, 1, H, W) in [0, 1] by the diamond-square algorithm.

    Fournier, Fussell and Carpenter (1982): "Computer Rendering of Stochastic Models". Each halving of the
    step divides the random part by the square of ``decay``.
    """
    height, width = images.shape[2:]
    step = side = 1 << (max(height, width) - 1).bit_length()
    land, rough = torch.zeros(len(images), side, side), 1.0

    def fill(rows: slice, columns: slice, around: Tensor) -> None:
        noise = draws.uniform(
            f"{step} {rows.start} {columns.start}", *around.shape[1:], low=-rough, high=rough
        )
        land[:, rows, columns] = around / 4 + noise

    while step > 1:
        even, odd = slice(0, None, step), slice(step // 2, None, step)
        corners = land[:, even, even]
        pairs = corners + corners.roll(-1, 1)
        fill(odd, odd, pairs + pairs.roll(-1, 2))
        middles = land[:, odd, odd]
        fill(even, odd, middles + middles.roll(1, 1) + corners + corners.roll(-1, 2))
        fill(odd, even, middles + middles.roll(1, 2) + corners + corners.roll(-1, 1))
        step, rough = step // 2, rough / decay**2
    land -= land.amin((1, 2), keepdim=True)
    land /= land.amax((1, 2), keepdim=True).clamp(min=torch.finfo(land.dtype).tiny)
    return land[:, None, :height, :width]
