"""The square attack: random search, which sees no gradient.

Andriushchenko, Croce, Flammarion and Hein (2020): "Square Attack: a query-efficient black-box adversarial
attack via random search", arXiv 1912.00049. Constants are those of the authors' code in AutoAttack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from math import sqrt
from typing import ClassVar

import torch
from torch import Tensor

from workloads.attacks._margins import margin
from workloads.attacks._projection import TINY, lengths, project
from workloads.attacks._windows import hills, inside, placed
from workloads.attacks.base import Attack, Model
from workloads.randomness import derive, uniform

#: Of 10,000 queries, those after which the squares' area is halved again.
HALVED, QUERIES = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000), 10_000
#: Numbers that are drawn at once, in queries.
BLOCK = 64
#: In the l2 norm the start has so many hills a side, and a square is at least so wide.
HILLS, NARROWEST = 5, 3


@dataclass(frozen=True)
class Square(Attack):
    """Recolours one random square after another and keeps what brings the answer closer to a wrong one."""

    black_box: ClassVar[bool] = True

    queries: int = 5000
    """Answers of the network per image after that to the random start."""
    area: float = 0.8
    """Share of the image that the first squares cover."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.queries < 1:
            raise ValueError(f"queries must be at least 1, got {self.queries}")
        if not 0 < self.area <= 1:
            raise ValueError(f"area is a share of the image in (0, 1], got {self.area}")

    def stronger(self) -> Attack | None:
        return replace(self, queries=2 * self.queries)

    def perturb(self, model: Model, images: Tensor, labels: Tensor, samples: Tensor, seed: int) -> Tensor:
        found = project(images + self._start(images, samples, seed), images, self.epsilon, self.norm)
        margins = _margins(model, found, labels)
        left, numbers = (
            torch.arange(len(images), device=images.device),
            _Drawn(seed, samples, images.shape[1]),
        )
        for query in range(self.queries):
            left = left[margins[left] > 0]
            if len(left) == 0:
                break
            tried = self._changed(found[left], images[left], query, numbers.of(query, left))
            tried_margins = _margins(model, tried, labels[left])
            better = tried_margins < margins[left]
            found[left[better]], margins[left[better]] = tried[better], tried_margins[better]
        return found

    def _changed(self, found: Tensor, images: Tensor, query: int, numbers: Iterator[Tensor]) -> Tensor:
        """``found`` with one square recoloured, or in the l2 norm with the change moved into one square."""
        share = self.area / 2 ** sum(query / self.queries * QUERIES > bound for bound in HALVED)
        height, width = images.shape[2:]
        side = min(max(round(sqrt(share * height * width)), 1), height, width)
        if self.norm == "linf":
            window = inside(next(numbers), next(numbers), side, (height, width))
            changed = found + torch.where(window, 2 * self.epsilon * _signs(numbers, images.shape[1]), 0)
            return project(changed, images, self.epsilon, self.norm)
        side = min(max(side, NARROWEST) // 2 * 2 + 1, (min(height, width) - 1) // 2 * 2 + 1)
        change = found - images
        place = next(numbers), next(numbers)
        window, other = (inside(*at, side, (height, width)) for at in (place, (next(numbers), next(numbers))))
        own = lengths_by_channel(change * window)
        spare = (self.epsilon**2 - lengths(change) ** 2).clamp_min(0) / images.shape[1]
        size = (spare + lengths(change * (window | other)) ** 2).sqrt()
        hill = placed(hills(side, next(numbers)), *place, (height, width)) * _signs(numbers, images.shape[1])
        fresh = hill + change * window / own.clamp_min(TINY)
        fresh = fresh / lengths_by_channel(fresh).clamp_min(TINY) * size
        change = torch.where(window, fresh, change.masked_fill(other, 0))
        return (images + self.epsilon * change / lengths(change).clamp_min(TINY)).clamp(0, 1)

    def _start(self, images: Tensor, samples: Tensor, seed: int) -> Tensor:
        """Stripes at the edge of the ball, or in the l2 norm hills side by side, with random signs."""
        channels, height, width = images.shape[1:]
        drawn = uniform(derive(seed, "start"), samples, (channels, height, width))
        signs = torch.where(drawn < 1 / 2, -1.0, 1.0)
        if self.norm == "linf":
            return self.epsilon * signs[:, :, :1]
        side = max(min(height, width) // HILLS, 1)
        rows, columns = (torch.arange(size, device=images.device) // side for size in (height, width))
        hill = hills(side, torch.zeros(1, device=images.device))[0]
        heights = hill.repeat(height // side + 1, width // side + 1)[:height, :width]
        change = heights * signs[:, :, rows][:, :, :, columns]
        return self.epsilon * change / lengths(change)


class _Drawn:
    """The random numbers of each image and query, drawn in blocks of queries."""

    def __init__(self, seed: int, samples: Tensor, channels: int) -> None:
        self.seed, self.samples, self.each = seed, samples, 5 + channels
        self.block, self.numbers = -1, torch.empty(0)

    def of(self, query: int, left: Tensor) -> Iterator[Tensor]:
        """Numbers (N,) in [0, 1), one after another, for the images ``left``."""
        if query // BLOCK != self.block:
            self.block = query // BLOCK
            shape = (BLOCK, self.each)
            self.numbers = uniform(derive(self.seed, "block", self.block), self.samples, shape)
        drawn = self.numbers[left, query % BLOCK]
        return (drawn[:, place] for place in count())


def lengths_by_channel(changes: Tensor) -> Tensor:
    """The Euclidean length (N, C, 1, 1) of each channel of ``changes``."""
    found: Tensor = torch.linalg.vector_norm(changes, dim=(2, 3), keepdim=True)
    return found


def _margins(model: Model, images: Tensor, labels: Tensor) -> Tensor:
    """Logit of the label less the largest other one among the known classes (N,)."""
    return margin(model(images)[:, : model.classes].float(), labels)


def _signs(numbers: Iterator[Tensor], channels: int) -> Tensor:
    """A random sign (N, C, 1, 1) for each channel."""
    drawn = torch.stack([next(numbers) for _ in range(channels)], 1)
    return torch.where(drawn < 1 / 2, -1.0, 1.0)[:, :, None, None]
