"""Stochastic weight averaging.

Izmailov, Podoprikhin, Garipov, Vetrov and Wilson (2018): "Averaging Weights Leads to Wider Optima and Better
Generalization", arXiv 1803.05407. With a cycle of one epoch; its high learning rate is the schedule's matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from workloads.averaging._window import Window


@dataclass(frozen=True)
class Swa(Window):
    """Keeps the plain mean of the weights at the end of every epoch of the window."""

    @final
    def due(self, step: int, steps: int, per_epoch: int) -> bool:
        return self.ends_epoch(step, steps, per_epoch)
