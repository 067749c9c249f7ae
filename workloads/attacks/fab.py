"""The fast adaptive boundary attack, in its targeted form.

Croce and Hein (2020): "Minimally Distorted Adversarial Examples with a Fast Adaptive Boundary Attack",
arXiv 1907.02044; one wrong class after another as in AutoAttack (arXiv 2003.01690). Constants are those of
the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from workloads.attacks._ascent import mistaken, slope
from workloads.attacks._margins import aimed, of, ranks
from workloads.attacks._projection import lengths, project, to_boundary
from workloads.attacks._turns import Search, in_turn
from workloads.attacks.base import Attack, Model

#: The largest share of the way back to the image, the step over the boundary, the way back after it.
ALPHA, OVER, BACK = 0.1, 1.05, 0.9
NEAR = 1e-8


@dataclass(frozen=True)
class Fab(Attack):
    """Looks for the nearest image that fools, by steps to the linearised boundary and back to the image.

    It ignores ``epsilon`` while it looks; what it finds outside of the ball is put back into it.
    """

    steps: int = 100
    """Steps towards each target."""
    targets: int | None = None
    """The likeliest wrong classes that are aimed at; None: all of them, at most nine."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if self.targets is not None and self.targets < 1:
            raise ValueError(f"targets must be at least 1, got {self.targets}")

    def stronger(self) -> Attack | None:
        return replace(self, steps=2 * self.steps)

    def perturb(self, model: Model, images: Tensor, labels: Tensor, samples: Tensor, seed: int) -> Tensor:
        searches: list[Search] = [
            partial(self._search, model, rank) for rank in ranks(self.targets, model.classes)
        ]
        return in_turn(searches, model, images, labels, samples)

    def _search(self, model: Model, rank: int, images: Tensor, labels: Tensor, samples: Tensor) -> Tensor:
        """The nearest images found that fool on the way to one class; the last one where none does."""
        aims = aimed(model(images), labels, model.classes, rank)
        place, found = images, images
        nearest = torch.full((len(images), 1, 1, 1), torch.inf, device=images.device)
        for _ in range(self.steps):
            lead, gradient, _ = slope(model, place, lambda logits: of(logits, aims) - of(logits, labels))
            over = ((place - images) * gradient).sum((1, 2, 3))
            step = to_boundary(place, gradient, -lead, self.norm)
            straight = to_boundary(images, gradient, over - lead, self.norm)
            sizes = [self._size(change).clamp_min(NEAR) for change in (step, straight)]
            share = (sizes[0] / (sizes[0] + sizes[1])).clamp_max(ALPHA)
            place = (place + OVER * step) * (1 - share) + (images + OVER * straight) * share
            place = place.clamp(0, 1)
            wrong = mistaken(model, model(place), labels)[:, None, None, None]
            size = self._size(place - images)
            nearer = wrong & (size < nearest)
            found, nearest = torch.where(nearer, place, found), torch.where(nearer, size, nearest)
            place = torch.where(wrong, images + BACK * (place - images), place)
        found = torch.where(nearest.isinf(), place, found)
        return project(found, images, self.epsilon, self.norm)

    def _size(self, changes: Tensor) -> Tensor:
        """The length (N, 1, 1, 1) of each change in the norm."""
        return changes.abs().amax((1, 2, 3), keepdim=True) if self.norm == "linf" else lengths(changes)
