"""Static sparse training: random masks that never change, the baseline of dynamic sparse training."""

from __future__ import annotations

from dataclasses import dataclass, field

from workloads.architectures.base import Network
from workloads.masks import Masks
from workloads.sparse_training._frozen import Frozen
from workloads.sparse_training._random_start import random_masks
from workloads.sparsity.base import Allocation
from workloads.sparsity.erk import Erk


@dataclass(frozen=True)
class Static(Frozen):
    """Draws random masks at the start and keeps them."""

    sparsity: float
    allocation: Allocation = field(default_factory=Erk)

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"sparsity must be in [0, 1), got {self.sparsity}")

    def start(self, network: Network, masks: Masks, seed: int) -> Masks:
        return random_masks(network, masks, self.allocation, self.sparsity, seed)
