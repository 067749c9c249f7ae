"""Gradual warm-up before another schedule (Goyal et al., 2017, arXiv 1706.02677)."""

from __future__ import annotations

from dataclasses import dataclass, field

from workloads.schedules.base import Schedule
from workloads.schedules.cosine import Cosine

DIGITS = 12


@dataclass(frozen=True)
class Warmup(Schedule):
    """Rises linearly to where ``then`` begins, which runs through over the rest of the training.

    The fractions in ``then`` are of that rest; Goyal et al. count their milestones from the beginning.
    """

    share: float = 0.05
    """Fraction of the training that is the warm-up."""
    start: float = 0.0
    """The factor at the beginning."""
    then: Schedule = field(default_factory=Cosine)

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share is a fraction of the training in (0, 1), got {self.share}")
        if self.start < 0:
            raise ValueError(f"start must not be negative, got {self.start}")

    def factor(self, progress: float) -> float:
        if progress < self.share:
            return self.start + (self.then.factor(0.0) - self.start) * progress / self.share
        # Rounded: (0.6 - 0.2) / 0.8 is just below 0.5, and a milestone there would come a step late.
        return self.then.factor(round((progress - self.share) / (1 - self.share), DIGITS))
