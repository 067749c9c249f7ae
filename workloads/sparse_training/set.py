"""SET, sparse evolutionary training (Mocanu et al., 2018, arXiv 1707.04780).

With the falling drop fraction and the interval in steps under which Evci et al. (2020, arXiv 1911.11134)
compare it with RigL; the original replaces a fixed share after every epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workloads.sparse_training._drop_and_grow import DropAndGrow


@dataclass(frozen=True)
class Set(DropAndGrow):
    """Drops the smallest weights after the optimizer's step and grows connections at random."""

    after_step: ClassVar[bool] = True

    def growth(self, signal: Tensor, ties: Tensor) -> Tensor:
        return ties
