"""Square windows, each image's at its own place, and the hill that fills one in the l2 square attack.

Andriushchenko, Croce, Flammarion and Hein (2020), arXiv 1912.00049, equation 2 and the authors' code.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from workloads.attacks._projection import TINY


def corner(number: Tensor, side: int, whole: int) -> Tensor:
    """The first row or column (N,) of windows, from numbers in [0, 1)."""
    return (number * (whole - side + 1)).long()


def inside(down: Tensor, across: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """Masks (N, 1, height, width) of windows; ``down`` and ``across`` (N,) in [0, 1) say where."""
    rows, columns = (
        torch.arange(whole, device=down.device) - corner(number, side, whole)[:, None]
        for number, whole in zip((down, across), size, strict=True)
    )
    held = [(places >= 0) & (places < side) for places in (rows, columns)]
    return held[0][:, None, :, None] & held[1][:, None, None, :]


def placed(windows: Tensor, down: Tensor, across: Tensor, size: tuple[int, int]) -> Tensor:
    """The ``windows`` (N, side, side), each at its place in an image (N, 1, height, width) of zeros."""
    side = windows.shape[1]
    rows, columns = (
        (torch.arange(whole, device=down.device) - corner(number, side, whole)[:, None]).clamp(0, side - 1)
        for number, whole in zip((down, across), size, strict=True)
    )
    spread = windows.gather(1, rows[:, :, None].expand(-1, -1, side))
    spread = spread.gather(2, columns[:, None, :].expand(-1, size[0], -1))
    return spread[:, None] * inside(down, across, side, size)


def hills(side: int, number: Tensor) -> Tensor:
    """A hill beside a valley (N, side, side) of length 1: side by side, or for half of ``number`` stacked."""
    hill = _hill(side).to(number.device)
    found: Tensor = torch.where((number < 1 / 2)[:, None, None], hill, hill.T)
    return found


@lru_cache(maxsize=64)
def _hill(side: int) -> Tensor:
    upper = side // 2
    both = torch.cat([_half(upper, side), -_half(side - upper, side)])
    length: Tensor = torch.linalg.vector_norm(both)
    return both / length


def _half(height: int, width: int) -> Tensor:
    """Rectangles around the middle, each larger one lower, of length 1."""
    found = torch.zeros(height, width)
    rows, columns = height // 2 + 1, width // 2 + 1
    for ring in range(max(rows, columns)):
        top, left = rows - 1 - ring, columns - 1 - ring
        end_row, end_column = min(top + 2 * ring + 1, height), min(left + 2 * ring + 1, width)
        found[max(top, 0) : end_row, max(left, 0) : end_column] += 1 / (ring + 1) ** 2
    length: Tensor = torch.linalg.vector_norm(found)
    return found / length.clamp_min(TINY)
