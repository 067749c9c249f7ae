"""What the optimizers with running moments of the gradient have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workloads.optimizers.base import Optimizer


@dataclass(frozen=True)
class Moments(Optimizer):
    """An optimizer that divides the mean gradient by the root of its mean square."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    """How much of the mean and of the mean square is kept at every step."""
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise ValueError(f"lr must be positive, got {self.lr}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be in [0, 1), got {self.betas}")
        if not self.epsilon > 0:
            raise ValueError(f"epsilon must be positive, got {self.epsilon}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")

    @property
    def rate(self) -> float:
        return self.lr

    @property
    def settings(self) -> dict[str, Any]:
        """The fields in torch's words; all weights of a step are moved by one fused operation."""
        return {
            "lr": self.lr,
            "betas": self.betas,
            "eps": self.epsilon,
            "weight_decay": self.weight_decay,
            "fused": True,
        }
