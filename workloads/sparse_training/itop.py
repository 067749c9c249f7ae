"""ITOP, in-time over-parameterisation (Liu, Yin, Mocanu and Pechenizkiy, 2021, arXiv 2102.02887).

Sparse training that changes its topology to the very end and rarely, so that what grows has the time to
become reliable: what counts is how much of the network was connected at some time (the metric ``explored``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from workloads.sparse_training._drop_and_grow import DropAndGrow


@dataclass(frozen=True)
class Itop(DropAndGrow):
    """Drops the smallest weights after the optimizer's step and grows as SET or as RigL does."""

    after_step: ClassVar[bool] = True
    floor: ClassVar[float] = 0.005

    alpha: float = 0.5
    interval: int = 1500
    """Steps from one change to the next; the paper takes 4000 with gradients."""
    end: float = 1.0
    grow: Literal["random", "gradient"] = "random"

    def dense_gradient(self, step: int, steps: int) -> bool:
        return self.grow == "gradient" and self.due(step, steps)

    def growth(self, signal: Tensor, ties: Tensor) -> Tensor:
        return ties if self.grow == "random" else signal.abs()
