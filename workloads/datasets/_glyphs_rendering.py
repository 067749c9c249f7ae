"""Images of characters: placed, drawn bolder or lighter, cluttered, blurred and noisy, many at once.

Everything that happens to a character is drawn for its sample alone, and only with operations whose results
are the same on every machine (no sine, no exponential), so that a set is the same bytes wherever it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import tan

import torch
from torch import Tensor
from torch.nn import functional

from workloads.datasets._fonts import FRAME, SIDE
from workloads.randomness import derive, normal, uniform

#: The longer side of a character and how much it varies, in widths of the image.
LENGTH, LENGTH_SPREAD = 0.68, 0.1
#: The largest shift in widths of the image, slant, share that width and height differ from one another, and
#: change of a stroke's width in lengths of the character.
SHIFT, SLANT, STRETCH, STROKE = 0.06, 0.18, 0.1, 0.02
#: The tangent of half the largest angle.
HALF_TURN = tan(0.22 / 2)
#: Ink and ground differ by at least and at most this.
FAINT, STRONG = 0.4, 0.95
#: How far red, green and blue of a colour lie from its grey, at most; and what each adds to the luma.
TINT, LUMA = 0.35, (0.299, 0.587, 0.114)
#: The largest share that a pixel gives to either neighbour in one pass, and the largest deviation of noise.
SPILL, NOISE = 0.2, 0.08
#: Stray lines of an image; half their width, in widths of the image, and their ink at least and at most.
LINES, THIN, THICK, PALE, DARK = 2, 0.01, 0.03, 0.2, 0.6
#: Images that are made at once; bounds the memory of the float copies.
CHUNK = 1024


@dataclass(frozen=True)
class Style:
    """What images are like, besides what is on them; the last three are 0 for none and 1 for the usual."""

    size: int
    channels: int
    jitter: float
    noise: float
    clutter: float


def render(drawings: Tensor, which: Tensor, samples: Tensor, seed: int, style: Style) -> Tensor:
    """Images (N, C, H, W) as uint8 of the characters ``drawings[which]``, one for each of ``samples``.

    ``drawings`` (M, FRAME, FRAME) are distances as `_fonts.distances` gives them.
    """
    chunks = zip(torch.split(which, CHUNK), torch.split(samples, CHUNK), strict=True)
    return torch.cat([_images(drawings, *chunk, seed, style) for chunk in chunks])


def _images(drawings: Tensor, which: Tensor, samples: Tensor, seed: int, style: Style) -> Tensor:
    ink = _edge(_character(drawings, which, samples, derive(seed, "pose"), style), style.size)
    if style.clutter:
        ink = torch.maximum(ink, _lines(samples, derive(seed, "lines"), style))
    ground, drawn = _colours(samples, derive(seed, "colours"), style)
    images = ground + (drawn - ground) * ink[:, None]
    if style.noise:
        amounts = uniform(derive(seed, "amounts"), samples, (2, 1, 1, 1)) * style.noise
        images = _blurred(images, amounts[:, 0] * SPILL)
        images = images + normal(derive(seed, "noise"), samples, tuple(images.shape[1:])) * (
            amounts[:, 1] * NOISE
        )
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)


def _character(drawings: Tensor, which: Tensor, samples: Tensor, seed: int, style: Style) -> Tensor:
    """The distance (N, H, W) to the edge of the placed character, in widths of the image."""
    draws = (uniform(seed, samples, (7, 1, 1)) * 2 - 1) * style.jitter
    turn, slant, stretch, length, right, down, bolder = draws.unbind(1)
    half = turn * HALF_TURN  # the angle by its half's tangent: no sine
    cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    size = LENGTH + length * LENGTH_SPREAD
    across, along = _middles(style.size)
    x, y = across - right * SHIFT, along - down * SHIFT
    x, y = cosine * x + sine * y, cosine * y - sine * x
    x, y = (x + y * (slant * SLANT)) / (size * (1 + stretch * STRETCH)), y / (size * (1 - stretch * STRETCH))
    found = _sampled(drawings, which, x, y)
    return (found + bolder * STROKE) * size


def _sampled(drawings: Tensor, which: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """``drawings[which]`` (N, H, W) at places in lengths of the character from its middle, interpolated."""
    column, row = ((place * SIDE + (FRAME - 1) / 2).clamp(0, FRAME - 1.001) for place in (x, y))
    left, top = column.floor(), row.floor()
    across, along = column - left, row - top
    first = (which[:, None, None] * FRAME + top.long()) * FRAME + left.long()
    flat = drawings.flatten()
    upper = flat[first] * (1 - across) + flat[first + 1] * across
    lower = flat[first + FRAME] * (1 - across) + flat[first + FRAME + 1] * across
    return upper * (1 - along) + lower * along


def _lines(samples: Tensor, seed: int, style: Style) -> Tensor:
    """The ink (N, H, W) of stray straight lines, in [0, 1)."""
    ink = torch.zeros(len(samples), style.size, style.size)
    across, along = _middles(style.size)
    for draws in uniform(seed, samples, (LINES, 6, 1, 1)).unbind(1):
        x, y, to_x, to_y, width, dark = draws.unbind(1)
        x, y, to_x, to_y = x - 1 / 2, y - 1 / 2, to_x - 1 / 2, to_y - 1 / 2
        long_x, long_y = to_x - x, to_y - y
        squared = long_x * long_x + long_y * long_y
        nearest = (((across - x) * long_x + (along - y) * long_y) / (squared + 1e-6)).clamp(0, 1)
        off_x, off_y = across - x - nearest * long_x, along - y - nearest * long_y
        distance = THIN + width * (THICK - THIN) - (off_x * off_x + off_y * off_y).sqrt()
        amount = (PALE + dark * (DARK - PALE)) * style.clutter
        ink = torch.maximum(ink, _edge(distance, style.size) * amount.clamp(0, 1))
    return ink


def _colours(samples: Tensor, seed: int, style: Style) -> tuple[Tensor, Tensor]:
    """The ground and the ink (N, C, 1, 1): light on dark or dark on light, in colour with the same luma."""
    contrast, ground, swap = uniform(derive(seed, "levels"), samples, (3, 1, 1, 1)).unbind(1)
    contrast = STRONG - contrast * (STRONG - FAINT)
    ground = ground * (1 - contrast)
    pair = torch.where(
        swap < 1 / 2, torch.stack([ground, ground + contrast]), torch.stack([ground + contrast, ground])
    )
    if style.channels == 1:
        return pair[0], pair[1]
    tints = (uniform(derive(seed, "tints"), samples, (2, 3, 1, 1)) * 2 - 1) * TINT
    luma = sum(tints[:, :, place] * share for place, share in enumerate(LUMA))
    tints = tints - torch.as_tensor(luma)[:, :, None]
    return pair[0] + tints[:, 0], pair[1] + tints[:, 1]


def _blurred(images: Tensor, spill: Tensor) -> Tensor:
    """``images`` after each pixel gave the share ``spill`` to either neighbour, size / 8 times each way."""
    for _ in range(images.shape[-1] // 8):
        wide = functional.pad(images, (1, 1, 0, 0), mode="replicate")
        images = images * (1 - 2 * spill) + (wide[..., :-2] + wide[..., 2:]) * spill
        high = functional.pad(images, (0, 0, 1, 1), mode="replicate")
        images = images * (1 - 2 * spill) + (high[..., :-2, :] + high[..., 2:, :]) * spill
    return images


def _edge(distance: Tensor, size: int) -> Tensor:
    """What share of each pixel is covered, in [0, 1], from the distance of its middle to the edge."""
    return (distance * size + 1 / 2).clamp(0, 1)


def _middles(size: int) -> tuple[Tensor, Tensor]:
    """Where the pixels' middles lie, in widths of the image from its middle: across (W), along (H, 1)."""
    middles = (torch.arange(size) + 1 / 2) / size - 1 / 2
    return middles, middles[:, None]
