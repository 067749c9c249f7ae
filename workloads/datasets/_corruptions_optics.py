"""Blurs and moves of images (N, C, H, W); beyond its edge an image goes on as its edge, or mirrored."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def softened(images: Tensor, sigma: float, radius: int | None = None) -> Tensor:
    """``images`` blurred by a Gaussian of deviation ``sigma``, cut off at ``radius`` (None: 4 ``sigma``)."""
    reach = int(4 * sigma + 0.5) if radius is None else radius
    if reach == 0 or sigma == 0:
        return images
    taps = [math.exp(-0.5 * (at / sigma) ** 2) for at in range(-reach, reach + 1)]
    column = torch.tensor(taps, dtype=torch.float64)[:, None] / sum(taps)
    return filtered(filtered(images, column), column.T)


def filtered(images: Tensor, kernel: Tensor) -> Tensor:
    """``images`` filtered with ``kernel`` (odd, odd): a sum of moved images, the same in any batch."""
    down, across = (side // 2 for side in kernel.shape)
    height, width = images.shape[2:]
    padded = functional.pad(images, (across, across, down, down), mode="replicate")
    found = torch.zeros_like(images)
    for row, column in kernel.nonzero().tolist():
        moved = padded[:, :, row : row + height, column : column + width]
        found.add_(moved, alpha=float(kernel[row, column]))
    return found


def disk(radius: float, sigma: float) -> Tensor:
    """A filter (odd, odd) of equal weights within ``radius``, softened by ``sigma`` over a pixel."""
    reach = math.ceil(radius) + 1
    line = torch.arange(-reach, reach + 1, dtype=torch.float64)
    inside = (line[:, None].square() + line.square() <= radius**2).double()
    return softened((inside / inside.sum())[None, None], sigma, radius=1)[0, 0]


def streaked(images: Tensor, degrees: Tensor, half_width: float, sigma: float) -> Tensor:
    """``images`` blurred along a direction (N,) each, by half a Gaussian: ImageMagick's motion blur."""
    count, channels, height, width = images.shape
    steps = torch.arange(2 * math.ceil(half_width) + 1)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    radians = torch.deg2rad(degrees)[:, None]
    down = torch.ceil(steps * torch.sin(radians) - 0.5).long()
    across = torch.ceil(steps * torch.cos(radians) - 0.5).long()
    flat, found = images.flatten(2), torch.zeros_like(images)
    for step, weight in enumerate((weights / weights.sum()).tolist()):
        rows = (torch.arange(height) + down[:, step, None]).clamp_(0, height - 1)
        columns = (torch.arange(width) + across[:, step, None]).clamp_(0, width - 1)
        places = (rows[:, :, None] * width + columns[:, None, :]).view(count, 1, -1)
        taken = flat.gather(2, places.expand(-1, channels, -1))
        found.add_(taken.view_as(images), alpha=weight)
    return found


def sampled(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``images`` at the positions ``rows`` and ``columns`` (N or 1, H, W), bilinear; mirrored beyond."""
    height, width = images.shape[2:]
    ends = max(width - 1, 1), max(height - 1, 1)
    grid = torch.stack([2 * columns / ends[0] - 1, 2 * rows / ends[1] - 1], dim=-1)
    return functional.grid_sample(
        images, grid.expand(len(images), -1, -1, -1), padding_mode="reflection", align_corners=True
    )


def zoomed(images: Tensor, factor: float) -> Tensor:
    """The middle of ``images``, enlarged by ``factor`` to the whole."""
    rows, columns = positions(images)
    middle = [(side - 1) / 2 for side in images.shape[2:]]
    return sampled(
        images, middle[0] + (rows - middle[0]) / factor, middle[1] + (columns - middle[1]) / factor
    )


def positions(images: Tensor) -> tuple[Tensor, Tensor]:
    """The row and the column (1, H, W) of every pixel."""
    height, width = images.shape[2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return rows[None].float(), columns[None].float()
