"""A learning rate that never changes."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.schedules.base import Schedule


@dataclass(frozen=True)
class Constant(Schedule):
    """Leaves the optimizer's rate as it is."""

    def factor(self, progress: float) -> float:
        return 1.0
