"""Projected gradient descent.

Madry, Makelov, Schmidt, Tsipras and Vladu (2018): "Towards Deep Learning Models Resistant to Adversarial
Attacks", arXiv 1706.06083.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import prod

from torch import Tensor

from workloads.attacks._ascent import ascent
from workloads.attacks._projection import TINY, lengths, project
from workloads.attacks._turns import Search, in_turn
from workloads.attacks.base import Attack, Model
from workloads.randomness import derive, normal, uniform


@dataclass(frozen=True)
class Pgd(Attack):
    """Takes many small steps to where the loss rises fastest, each projected, from random starts."""

    steps: int = 10
    step: float | None = None
    """Length of a step; none given: 2.5 * epsilon / steps, which reaches every side of the ball."""
    restarts: int = 1
    """Searches per image; one that fools the model is kept, and of several the one with the largest loss."""
    random_start: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if self.step is not None and not self.step > 0:
            raise ValueError(f"step must be above 0, got {self.step}")
        if self.restarts < 1:
            raise ValueError(f"restarts must be at least 1, got {self.restarts}")
        if self.restarts > 1 and not self.random_start:
            raise ValueError(
                f"restarts above 1 need a random_start to differ, got {self.restarts} without one"
            )

    def stronger(self) -> Attack | None:
        return replace(self, steps=2 * self.steps, restarts=1)

    def perturb(self, model: Model, images: Tensor, labels: Tensor, samples: Tensor, seed: int) -> Tensor:
        searches: list[Search] = [
            partial(self._search, model, derive(seed, "restart", restart)) for restart in range(self.restarts)
        ]
        return in_turn(searches, model, images, labels, samples)

    def _search(self, model: Model, seed: int, images: Tensor, labels: Tensor, samples: Tensor) -> Tensor:
        """Where one start leads to."""
        step = 2.5 * self.epsilon / self.steps if self.step is None else self.step
        found = images
        if self.random_start:
            found = project(images + self._start(images, samples, seed), images, self.epsilon, self.norm)
        for _ in range(self.steps):
            found = found + step * ascent(model, found, labels, self.norm)
            found = project(found, images, self.epsilon, self.norm)
        return found

    def _start(self, images: Tensor, samples: Tensor, seed: int) -> Tensor:
        """A change (N, C, H, W) for each image, uniform over the ball."""
        shape = tuple(images.shape[1:])
        if self.norm == "linf":
            return (self.epsilon * (2 * uniform(seed, samples, shape) - 1)).to(images.dtype)
        ways = normal(seed, samples, shape)
        ways = ways / lengths(ways).clamp_min(TINY)
        radii = uniform(seed, samples, (1, 1, 1)).double() ** (1 / prod(shape))
        return (self.epsilon * radii * ways).to(images.dtype)
