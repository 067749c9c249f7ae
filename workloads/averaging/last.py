"""No averaging."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.averaging.base import Averaging, BatchNorm


@dataclass(frozen=True)
class Last(Averaging):
    """Keeps the weights of the last step."""

    @property
    def begins(self) -> float:
        return 1.0

    @property
    def batch_norm(self) -> BatchNorm:
        return "keep"

    def due(self, step: int, steps: int, per_epoch: int) -> bool:
        return False
