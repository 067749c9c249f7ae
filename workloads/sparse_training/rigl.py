"""RigL, the rigged lottery (Evci, Gale, Menick, Castro and Elsen, 2020, arXiv 1911.11134)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.sparse_training._drop_and_grow import DropAndGrow


@dataclass(frozen=True)
class Rigl(DropAndGrow):
    """Drops the smallest weights and grows connections where the dense gradient is largest."""

    def growth(self, signal: Tensor, ties: Tensor) -> Tensor:
        return signal.abs()
