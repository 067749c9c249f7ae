"""Masks that never change during a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from torch import Tensor

from workloads.masks import Masks
from workloads.sparse_training.base import Memory, Moment, Sparsify


@dataclass(frozen=True)
class Frozen(Sparsify):
    """Keeps the masks of the start to the end."""

    @final
    def due(self, step: int, steps: int) -> bool:
        return False

    @final
    def update(
        self,
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        masks: Masks,
        moment: Moment,
        memory: Memory,
    ) -> Masks:
        return masks
