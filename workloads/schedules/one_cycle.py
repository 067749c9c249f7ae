"""One cycle (Smith and Topin, 2019: "Super-Convergence", arXiv 1708.07120).

Both phases are half cosines, as in fastai and torch; the paper's are straight lines. The momentum stays as it
is, where the paper lowers it as the rate rises.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.schedules._anneal import half_cosine
from workloads.schedules.base import Schedule


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Rises from a ``start`` to the optimizer's rate, and falls far below it."""

    rise: float = 0.3
    """Fraction of the training in which the factor rises."""
    start: float = 1 / 25
    """The factor at the beginning."""
    end: float = 4e-6
    """The factor at the end: torch's default, the start over 10,000."""

    def __post_init__(self) -> None:
        if not 0 < self.rise < 1:
            raise ValueError(f"rise is a fraction of the training in (0, 1), got {self.rise}")
        if not 0 <= self.start <= 1:
            raise ValueError(f"start must be in [0, 1], got {self.start}")
        if not 0 <= self.end <= 1:
            raise ValueError(f"end must be in [0, 1], got {self.end}")

    def factor(self, progress: float) -> float:
        if progress < self.rise:
            return half_cosine(self.start, 1.0, progress / self.rise)
        return half_cosine(1.0, self.end, (progress - self.rise) / (1 - self.rise))
