"""Cosine annealing without restarts (Loshchilov and Hutter, 2017, arXiv 1608.03983)."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.schedules._anneal import half_cosine
from workloads.schedules.base import Schedule


@dataclass(frozen=True)
class Cosine(Schedule):
    """Falls along half a cosine to ``floor``, after a linear warm-up."""

    floor: float = 0.0
    """The factor at the end."""
    warmup: float = 0.0
    """Fraction of the training in which the factor rises linearly from 0 to 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor must be in [0, 1], got {self.floor}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup is a fraction of the training in [0, 1), got {self.warmup}")

    def factor(self, progress: float) -> float:
        if progress < self.warmup:
            return progress / self.warmup
        return half_cosine(1.0, self.floor, (progress - self.warmup) / (1 - self.warmup))
