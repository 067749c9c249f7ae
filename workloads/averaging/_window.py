"""Averages over the end of a training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from workloads.averaging.base import Averaging, BatchNorm

#: Below this a fraction of epochs or steps counts as none: 0.07 * 100 is 7.000000000000001.
TINY = 1e-9


@dataclass(frozen=True)
class Window(Averaging):
    """Averages from a fraction of the training on."""

    begin: float = 0.75
    """Fraction of the training; where epochs count, the first epoch that ends at or after it."""
    batch_norm: BatchNorm = "clean"
    """Statistics of the average: the last ones, or new ones of training images, clean or as trained on."""

    def __post_init__(self) -> None:
        if not 0 <= self.begin < 1:
            raise ValueError(f"begin is a fraction of the training in [0, 1), got {self.begin}")

    @final
    @property
    def begins(self) -> float:
        return self.begin

    @final
    def first(self, count: int) -> int:
        """The first of ``count`` epochs or steps (1-based) at whose end weights may be taken."""
        return max(1, math.ceil(self.begin * count - TINY))

    @final
    def ends_epoch(self, step: int, steps: int, per_epoch: int) -> bool:
        """Whether an epoch of the window ends with ``step``."""
        epoch, rest = divmod(step, per_epoch)
        return rest == 0 and epoch >= self.first(steps // per_epoch)
