"""A learning rate that falls in steps."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.schedules.base import Schedule


@dataclass(frozen=True)
class Steps(Schedule):
    """Multiplies the rate by ``gamma`` at every milestone."""

    milestones: tuple[float, ...] = (0.5, 0.75)
    """Fractions of the training, rising."""
    gamma: float = 0.1

    def __post_init__(self) -> None:
        if list(self.milestones) != sorted(set(self.milestones)) or not all(
            0 < milestone < 1 for milestone in self.milestones
        ):
            raise ValueError(
                f"milestones are rising fractions of the training in (0, 1), got {self.milestones}"
            )
        if not self.gamma > 0:
            raise ValueError(f"gamma must be positive, got {self.gamma}")

    def factor(self, progress: float) -> float:
        return self.gamma ** sum(progress >= milestone for milestone in self.milestones)
