"""The operations of AutoAugment on grey levels 0 to 255, for a batch of images at once.

Cubuk et al. (2019): "AutoAugment", arXiv 1805.09501; the arithmetic is that of Pillow, as in the authors'
code. Levels are whole numbers in float32, whose sums are exact in whatever order, so an image's result does
not depend on the batch it comes in.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 256
WHITE = LEVELS - 1
COLOUR = 3
#: What red, green and blue add to the luma, of 65,536.
LUMA, LUMA_SUM = (19595, 38470, 7471), 65536
#: The smoothing kernel is [[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13.
CENTRE, KERNEL_SUM = 5, 13


def mapped(levels: Tensor, tables: Tensor) -> Tensor:
    """``levels`` (N, C, H, W), each replaced by what ``tables`` (N, C, 256) holds for it."""
    return tables.gather(2, levels.flatten(2).long()).view_as(levels)


def blended(levels: Tensor, base: Tensor, factor: Tensor) -> Tensor:
    """From ``base`` (factor 0) over ``levels`` (factor 1) and beyond, cut to the range of levels."""
    return (base + factor * (levels - base)).clamp(0, WHITE).floor()


def luma(levels: Tensor) -> Tensor:
    """The brightness (N, 1, H, W) of ``levels``; of grey images the images."""
    if levels.shape[1] != COLOUR:
        return levels[:, :1]
    red, green, blue = (share * levels[:, place, None] for place, share in enumerate(LUMA))
    return ((red + green + blue + LUMA_SUM / 2) / LUMA_SUM).floor()


def smoothed(levels: Tensor) -> Tensor:
    """``levels`` averaged over 3x3 pixels with a heavy centre; the pixels of the border stay."""
    height, width = levels.shape[2:]
    if min(height, width) < 3:  # noqa: PLR2004 - the kernel's side
        return levels
    rows = levels[:, :, :-2] + levels[:, :, 1:-1] + levels[:, :, 2:]
    total = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + (CENTRE - 1) * levels[:, :, 1:-1, 1:-1]
    found = levels.clone()
    found[:, :, 1:-1, 1:-1] = (total / KERNEL_SUM).round()
    return found


def contrast(levels: Tensor, factor: Tensor) -> Tensor:
    """Tables (N, 1, 256) that move every level away from each image's mean brightness, or towards it."""
    bright = luma(levels).flatten(1)
    mean = (bright.sum(1, dtype=torch.float64) / bright.shape[1] + 0.5).floor().to(levels.dtype)
    return blended(_all(levels), mean[:, None, None], factor[:, None, None])


def autocontrast(levels: Tensor) -> Tensor:
    """Tables (N, C, 256) that stretch each channel to the whole range; one that never changes stays."""
    flat = levels.flatten(2)
    low, high = flat.amin(2, keepdim=True), flat.amax(2, keepdim=True)
    stretched = (WHITE * (_all(levels) - low) / (high - low).clamp_min(1)).floor()
    return torch.where(high > low, stretched.clamp(0, WHITE), _all(levels))


def equalized(levels: Tensor) -> Tensor:
    """Tables (N, C, 256) that spread each channel's levels evenly; one with too few pixels stays."""
    flat = levels.flatten(2).long()
    counts = flat.new_zeros(*flat.shape[:2], LEVELS).scatter_add_(2, flat, torch.ones_like(flat))
    largest = counts.gather(2, flat.amax(2, keepdim=True))
    step = (flat.shape[2] - largest).div(WHITE, rounding_mode="floor")
    before = counts.cumsum(2) - counts
    spread = (before + step.div(2, rounding_mode="floor")).div(step.clamp_min(1), rounding_mode="floor")
    return torch.where(step > 0, spread.clamp(0, WHITE).to(levels.dtype), _all(levels))


def _all(levels: Tensor) -> Tensor:
    """Every level, on the device of ``levels``."""
    return torch.arange(LEVELS, dtype=levels.dtype, device=levels.device)
