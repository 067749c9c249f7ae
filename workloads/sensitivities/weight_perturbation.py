"""Module robust criticality.

Zhu, Hu, Wang, Xie, Zheng, Ma and Li (2023): "Improving Generalization of Adversarial Training via Robust
Critical Fine-Tuning" (RiFT), arXiv 2308.02533, definition 3.1. As in the authors' code, the ascent goes
through all epochs, with a projection after each, and the largest loss counts (the paper's algorithm 1 stops
at the border of the ball). Their code looks at test images; here the caller brings others.

With fewer images an epoch has fewer steps: the authors take 20 of 512 images each.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.sensitivities._layer import Layer
from workloads.sensitivities.base import Sensitivity

#: Share of the radius below which the ascent counts as one that has not reached the border.
NEAR = 0.95


@dataclass(frozen=True)
class WeightPerturbation(Sensitivity):
    """Raises the cross-entropy by gradient ascent on one layer's weight, in a ball relative to its length.

    The weight itself is in the ball, so the sensitivity is never negative.
    """

    epsilon: float = 0.1
    """Radius of the ball: the length of the change over that of the weight, both l2."""
    epochs: int = 10
    lr: float = 1.0
    batch_size: int = 512

    def __post_init__(self) -> None:
        for name in ("epsilon", "lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def unfinished(self, distance: float) -> bool:
        return distance < NEAR * self.epsilon

    def changed(self, layer: Layer) -> Tensor:
        first = weight = worst = layer.weight.clone()
        largest, _ = layer.judged(first)
        for _ in range(self.epochs):
            for part in layer.batches(self.batch_size):
                weight = weight + self.lr * layer.slope(weight, part)
            weight = projected(weight, first, self.epsilon)
            loss, _ = layer.judged(weight)
            if not loss <= largest:  # so that what is no number is not hidden
                worst, largest = weight, loss
        return worst


def projected(weight: Tensor, centre: Tensor, epsilon: float) -> Tensor:
    """``weight``, put on the border where it is farther from ``centre`` than ``epsilon`` times its length."""
    change, radius = weight - centre, epsilon * centre.norm()
    length = change.norm()
    return weight if length <= radius else centre + change * (radius / length)
