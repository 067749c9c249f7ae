"""The exponential moving average of the weights.

Polyak and Juditsky (1992): "Acceleration of Stochastic Approximation by Averaging"; with the start of
Tarvainen and Valpola (2017): "Mean teachers are better role models", arXiv 1703.01780: a plain mean until
the decay would weigh the newest weights more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from workloads.averaging._window import Window


@dataclass(frozen=True)
class Ema(Window):
    """Keeps a mean of the weights after every step in which older ones count less and less."""

    begin: float = 0.0
    decay: float = 0.999
    """What an older step counts, relative to the next."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.decay < 1:
            raise ValueError(f"decay must be in (0, 1), got {self.decay}")

    @final
    def due(self, step: int, steps: int, per_epoch: int) -> bool:
        return step >= self.first(steps)

    @final
    def share(self, taken: int) -> float:
        return max(1 - self.decay, 1 / (taken + 1))
