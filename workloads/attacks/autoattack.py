"""AutoAttack: four attacks that fail in different ways, in the authors' order and without settings to tune.

Croce and Hein (2020): "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
Parameter-free Attacks", arXiv 2003.01690.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workloads.attacks._margins import RATIO, TARGETED_RATIO
from workloads.attacks._turns import Search, by, in_turn
from workloads.attacks.apgd import Apgd
from workloads.attacks.base import Attack, Model
from workloads.attacks.fab import Fab
from workloads.attacks.square import Square
from workloads.randomness import derive


@dataclass(frozen=True)
class Autoattack(Attack):
    """Runs APGD on the cross-entropy, targeted APGD, targeted FAB and Square, each on what still stands.

    The targeted ratio needs four classes: with three its plain form is climbed, with two none.
    """

    black_box: ClassVar[bool] = True

    steps: int = 100
    """Steps of each search by gradients."""
    queries: int = 5000
    """Queries of the random search."""
    targets: int | None = None
    """The likeliest wrong classes that are aimed at; None: all of them, at most nine."""

    def __post_init__(self) -> None:
        super().__post_init__()
        Fab(self.epsilon, self.norm, self.steps, self.targets)
        Square(self.epsilon, self.norm, self.queries)

    def perturb(self, model: Model, images: Tensor, labels: Tensor, samples: Tensor, seed: int) -> Tensor:
        searches: list[Search] = [_unchanged]
        for place, attack in enumerate(self._sequence(model.classes)):
            searches.append(by(attack, model, derive(seed, "attack", place)))
        return in_turn(searches, model, images, labels, samples)

    def _sequence(self, classes: int) -> Iterator[Attack]:
        """The attacks on a network with so many classes."""
        yield Apgd(self.epsilon, self.norm, "ce", self.steps)
        if classes >= TARGETED_RATIO:
            yield Apgd(self.epsilon, self.norm, "dlr_targeted", self.steps, targets=self.targets)
        elif classes == RATIO:
            yield Apgd(self.epsilon, self.norm, "dlr", self.steps)
        yield Fab(self.epsilon, self.norm, self.steps, self.targets)
        yield Square(self.epsilon, self.norm, self.queries)


def _unchanged(images: Tensor, labels: Tensor, samples: Tensor) -> Tensor:
    return images
