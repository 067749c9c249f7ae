"""RandAugment (Cubuk, Zoph, Shlens and Le, 2019, arXiv 1909.13719).

The fourteen operations and their ranges are those of torchvision, the arithmetic is Pillow's. What differs
from the paper: brightness, colour, contrast and sharpness go as far down as up (the paper's go from 0.1 to
1.9 as the magnitude grows, so that its middle changes nothing), and images are rounded to 256 levels first.
Pixels move by nearest neighbour and what comes in is grey, as in the authors' code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from workloads.augmentations import _levels as level
from workloads.augmentations._pixels import picked, whole
from workloads.augmentations.base import Augmentation
from workloads.randomness import derive, uniform

#: The strongest magnitude, and what the operations do there.
STRONGEST = 30
SHEAR, TRANSLATE, DEGREES, ENHANCE, BITS = 0.3, 150 / 331, 30.0, 0.9, 4
#: Affine maps from a place in the result to one in the image: x' = a x + b y + c, y' = d x + e y + f.
Map = tuple[float, float, float, float, float, float]
STILL: Map = (1, 0, 0, 0, 1, 0)
MOVES = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
ENHANCES = ("brightness", "colour", "contrast", "sharpness")
OPERATIONS = ("identity", *MOVES, *ENHANCES, "posterize", "solarize", "autocontrast", "equalize")


class _Settings(NamedTuple):
    """What each operation does, once with either sign (28 rows)."""

    maps: Tensor
    factors: Tensor
    tables: Tensor


@dataclass(frozen=True)
class RandAugment(Augmentation):
    """Applies ``operations`` random ones of fourteen to each image, all at one magnitude."""

    operations: int = 2
    magnitude: int = 9
    """From 0 to 30; either sign is drawn where an operation has two directions."""
    fill: float = 0.5
    """What comes in from outside the image, from black (0) to white (1)."""

    def __post_init__(self) -> None:
        if self.operations < 1:
            raise ValueError(f"operations must be at least 1, got {self.operations}")
        if not 0 <= self.magnitude <= STRONGEST:
            raise ValueError(f"magnitude must be in [0, {STRONGEST}], got {self.magnitude}")
        if not 0 <= self.fill <= 1:
            raise ValueError(f"fill must be in [0, 1], got {self.fill}")

    def augment(
        self, images: Tensor, labels: Tensor, samples: Tensor, seed: int, classes: int
    ) -> tuple[Tensor, Tensor | None]:
        levels = (images * level.WHITE).round()
        for turn in range(self.operations):
            drawn, sign = uniform(derive(seed, turn), samples, (2,)).unbind(1)
            levels = self._changed(levels, whole(drawn, len(OPERATIONS)), sign < 0.5)  # noqa: PLR2004 - half
        return levels / level.WHITE, None

    def _changed(self, levels: Tensor, chosen: Tensor, negative: Tensor) -> Tensor:
        """``levels`` (N, C, H, W) after each image's ``chosen`` (N,) operation."""
        height, width = levels.shape[2:]
        settings = _settings(self.magnitude, height, width, str(levels.device))
        rows = chosen + len(OPERATIONS) * negative
        fill = round(self.fill * level.WHITE)
        levels = moved(levels, settings.maps[rows], fill)
        factor = settings.factors[rows]
        tables = settings.tables[rows][:, None]
        for name, found in (
            ("contrast", level.contrast(levels, factor)),
            ("autocontrast", level.autocontrast(levels)),
            ("equalize", level.equalized(levels)),
        ):
            tables = torch.where(_is(name, chosen, 3), found, tables)
        changed = level.mapped(levels, tables.expand(-1, levels.shape[1], -1))
        factor = factor[:, None, None, None]
        for name, base in (("colour", level.luma(levels)), ("sharpness", level.smoothed(levels))):
            changed = torch.where(_is(name, chosen, 4), level.blended(levels, base, factor), changed)
        return changed


def moved(levels: Tensor, maps: Tensor, fill: int) -> Tensor:
    """``levels`` (N, C, H, W) with each pixel taken from where ``maps`` (N, 6) say, or ``fill`` outside."""
    height, width = levels.shape[2:]
    a, b, c, d, e, f = maps[:, :, None, None].unbind(1)
    x = torch.arange(width, device=levels.device) + 0.5
    y = torch.arange(height, device=levels.device)[:, None] + 0.5
    columns, rows = (a * x + b * y + c).floor().long(), (d * x + e * y + f).floor().long()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    places = torch.where(inside, rows * width + columns, 0)
    return torch.where(inside[:, None], picked(levels, places), fill)


def _is(name: str, chosen: Tensor, dimensions: int) -> Tensor:
    """A mask (N, 1, ...) of the images whose operation is ``name``."""
    return (chosen == OPERATIONS.index(name)).view(-1, *(1,) * (dimensions - 1))


@lru_cache(maxsize=8)
def _settings(magnitude: int, height: int, width: int, device: str) -> _Settings:
    """What does not depend on the images, on ``device``."""
    signed = [(name, sign) for sign in (1, -1) for name in OPERATIONS]
    share = magnitude / STRONGEST
    maps = [_map(name, sign * share, height, width) for name, sign in signed]
    factors = [1 + sign * share * ENHANCE if name in ENHANCES else 1.0 for name, sign in signed]
    tables = [_table(name, magnitude, factor) for (name, _), factor in zip(signed, factors, strict=True)]
    return _Settings(
        torch.tensor(maps, dtype=torch.float32, device=device),
        torch.tensor(factors, dtype=torch.float32, device=device),
        torch.stack(tables).to(device),
    )


def _map(name: str, share: float, height: int, width: int) -> Map:
    """Where the pixels of a move come from; shears hold the upper left corner, rotations the middle."""
    x, y = width / 2, height / 2
    cos, sin = math.cos(math.radians(share * DEGREES)), math.sin(math.radians(share * DEGREES))
    moves: dict[str, Map] = {
        "shear_x": (1, share * SHEAR, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, share * SHEAR, 1, 0),
        "translate_x": (1, 0, int(share * TRANSLATE * width), 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, int(share * TRANSLATE * height)),
        "rotate": (cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y),
    }
    return moves.get(name, STILL)


def _table(name: str, magnitude: int, factor: float) -> Tensor:
    """What an operation makes of each of the 256 levels where that is the same for all images."""
    levels = torch.arange(level.LEVELS, dtype=torch.float32)
    if name == "brightness":
        return (factor * levels).clamp(0, level.WHITE).floor()
    if name == "posterize":
        dropped = round(magnitude * BITS / STRONGEST)
        return levels - levels.remainder(1 << dropped)
    if name == "solarize":
        threshold = level.WHITE * (STRONGEST - magnitude)
        return torch.where(STRONGEST * levels >= threshold, level.WHITE - levels, levels)
    return levels
