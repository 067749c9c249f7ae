"""Pixels by their places, for a whole batch at once.

Only sums, products, roots and comparisons of single numbers are used, each rounded in one way wherever it
stands in a tensor, so an image's result does not depend on the batch it comes in.
"""

from __future__ import annotations

import torch
from torch import Tensor


def whole(drawn: Tensor, count: int) -> Tensor:
    """What `randomness.uniform` drew, numbers of 24 bits in [0, 1), as whole numbers in [0, ``count``)."""
    return (drawn * count).long()  # the largest, 1 - 2**-24, times count never rounds up to count


def picked(images: Tensor, places: Tensor) -> Tensor:
    """What stands in ``images`` (N, C, h, w) at the flat ``places`` (N, H, W) of each: (N, C, H, W)."""
    channels = images.shape[1]
    index = places.flatten(1)[:, None].expand(-1, channels, -1)
    return images.flatten(2).gather(2, index).view(len(images), channels, *places.shape[1:])


def span(first: Tensor, past: Tensor, extent: int) -> Tensor:
    """A mask (N, extent): True from ``first`` (N,) to before ``past`` (N,), cut at the borders."""
    places = torch.arange(extent, device=first.device)
    return (places >= first[:, None]) & (places < past[:, None])


def box(rows: Tensor, columns: Tensor) -> Tensor:
    """A mask (N, 1, H, W) that is True where both ``rows`` (N, H) and ``columns`` (N, W) are."""
    return (rows[:, :, None] & columns[:, None])[:, None]
