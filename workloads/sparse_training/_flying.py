"""What the two Flying Birds share: SET from IGQ quotas, more rarely in the second half of the training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import Tensor

from workloads.sparse_training._drop_and_grow import DropAndGrow
from workloads.sparsity.base import Allocation
from workloads.sparsity.igq import Igq


@dataclass(frozen=True)
class Flying(DropAndGrow):
    """Drops the smallest weights after the optimizer's step and grows at random or by the gradient."""

    after_step: ClassVar[bool] = True
    floor: ClassVar[float] = 0.005

    allocation: Allocation = field(default_factory=Igq)
    alpha: float = 0.5
    interval: int = 900
    """Steps from one change to the next, in the first half of the training."""
    interval_late: int = 1200
    """The same, in the second half."""
    end: float = 1.0
    grow: Literal["random", "gradient"] = "random"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.interval_late < 1:
            raise ValueError(f"interval_late must be at least 1 step, got {self.interval_late}")

    def interval_at(self, step: int, steps: int) -> int:
        return self.interval_late if 2 * step >= steps else self.interval

    def dense_gradient(self, step: int, steps: int) -> bool:
        return self.grow == "gradient" and self.due(step, steps)

    def growth(self, signal: Tensor, ties: Tensor) -> Tensor:
        return ties if self.grow == "random" else signal.abs()
