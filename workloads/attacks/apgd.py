"""Auto-PGD: projected gradient descent that chooses its step sizes by itself.

Croce and Hein (2020): "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
Parameter-free Attacks", arXiv 2003.01690. Constants and the oscillation test are those of the authors' code;
the cross-entropy is climbed as log-odds, which has the same steps and does not vanish.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from workloads.attacks._ascent import mistaken, odds, slope, way
from workloads.attacks._margins import aimed, ranks, ratio, targeted_ratio
from workloads.attacks._projection import TINY, lengths, project
from workloads.attacks._turns import Search, in_turn
from workloads.attacks.base import Attack, Model
from workloads.randomness import derive, normal, uniform

#: The first look at the progress, how much earlier each next one comes, and the shortest wait: all in steps.
FIRST, EARLIER, SHORTEST = 0.22, 0.03, 0.06
#: Share of steps that must raise the loss, and what the momentum leaves of a step.
RISING, FRESH = 0.75, 0.75
LOSSES = {"ce": odds, "dlr": ratio}


@dataclass(frozen=True)
class Apgd(Attack):
    """Climbs with momentum, halves its step where the loss stops rising, and goes on from the best image."""

    loss: Literal["ce", "dlr", "dlr_targeted"] = "ce"
    """Cross-entropy; the difference of logits ratio; the same towards one wrong class after another."""
    steps: int = 100
    """Steps of each search."""
    restarts: int = 1
    """Searches per image, and per target."""
    targets: int | None = None
    """The likeliest wrong classes that dlr_targeted aims at; None: all of them, at most nine."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if self.restarts < 1:
            raise ValueError(f"restarts must be at least 1, got {self.restarts}")
        if self.targets is not None and self.targets < 1:
            raise ValueError(f"targets must be at least 1, got {self.targets}")
        if self.targets is not None and self.loss != "dlr_targeted":
            raise ValueError(f"targets go with the loss dlr_targeted, got {self.loss}")

    def stronger(self) -> Attack | None:
        return replace(self, steps=2 * self.steps, restarts=1)

    def perturb(self, model: Model, images: Tensor, labels: Tensor, samples: Tensor, seed: int) -> Tensor:
        aims = ranks(self.targets, model.classes) if self.loss == "dlr_targeted" else [None]
        searches: list[Search] = [
            partial(
                self._search, model=model, aim=aim, seed=derive(seed, "restart", restart, "target", aim or 0)
            )
            for aim in aims
            for restart in range(self.restarts)
        ]
        return in_turn(searches, model, images, labels, samples)

    def _search(
        self, images: Tensor, labels: Tensor, samples: Tensor, *, model: Model, aim: int | None, seed: int
    ) -> Tensor:
        """Where one start leads to: the fooling image of the largest loss, else the one of the largest."""
        loss = self._loss(model, aim, images, labels)
        place = before = project(images + self._start(images, samples, seed), images, self.epsilon, self.norm)
        values, gradient, logits = slope(model, place, loss)
        found, height, fooled = place, values, mistaken(model, logits, labels)
        best, best_gradient, most = place, gradient, values
        last_most, halved = most, torch.ones_like(fooled)
        length, rises, waited = torch.full_like(values, 2 * self.epsilon), torch.zeros_like(values), 0
        wait = max(int(FIRST * self.steps), 1)
        for step in range(self.steps):
            moved = project(place + _over(length) * way(gradient, self.norm), images, self.epsilon, self.norm)
            if step > 0:
                blend = place + FRESH * (moved - place) + (1 - FRESH) * (place - before)
                moved = project(blend, images, self.epsilon, self.norm)
            before, place, previous = place, moved, values
            values, gradient, logits = slope(model, place, loss)
            rises, waited = rises + (values > previous), waited + 1

            wrong = mistaken(model, logits, labels)
            better = (wrong & ~fooled) | ((wrong == fooled) & (values > height))
            found, height, fooled = _pick(better, place, found), values.where(better, height), wrong | fooled
            higher = values > most
            best, best_gradient = _pick(higher, place, best), _pick(higher, gradient, best_gradient)
            most = values.where(higher, most)
            if waited == wait:
                halved = (rises <= RISING * wait) | (~halved & (last_most >= most))
                last_most, length = most, torch.where(halved, length / 2, length)
                place, gradient = _pick(halved, best, place), _pick(halved, best_gradient, gradient)
                wait = max(wait - max(int(EARLIER * self.steps), 1), int(SHORTEST * self.steps), 1)
                rises, waited = torch.zeros_like(rises), 0
        return found

    def _loss(
        self, model: Model, aim: int | None, images: Tensor, labels: Tensor
    ) -> Callable[[Tensor], Tensor]:
        """What is climbed, as a function of the logits."""
        if self.loss == "dlr_targeted":
            aims = aimed(model(images), labels, model.classes, aim or 0)
            return lambda logits: targeted_ratio(logits.float(), labels, aims)
        return lambda logits: LOSSES[self.loss](logits.float(), labels)

    def _start(self, images: Tensor, samples: Tensor, seed: int) -> Tensor:
        """A random change (N, C, H, W) of length ``epsilon`` for each image."""
        shape = tuple(images.shape[1:])
        if self.norm == "linf":
            ways = 2 * uniform(seed, samples, shape) - 1
            sizes = ways.abs().amax((1, 2, 3), keepdim=True)
        else:
            ways = normal(seed, samples, shape)
            sizes = lengths(ways)
        return (self.epsilon * ways / sizes.clamp_min(TINY)).to(images.dtype)


def _over(numbers: Tensor) -> Tensor:
    """Numbers (N,) or flags, one for all values of each image."""
    return numbers[:, None, None, None]


def _pick(flags: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Images from ``new`` where the flag is up, else from ``old``."""
    return torch.where(_over(flags), new, old)
