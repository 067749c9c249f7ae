"""Training with the masks the network came with: fine-tuning after pruning, or dense training."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.architectures.base import Network
from workloads.masks import Masks
from workloads.sparse_training._frozen import Frozen


@dataclass(frozen=True)
class Fixed(Frozen):
    """Keeps the network's own masks; a network without any stays dense."""

    def start(self, network: Network, masks: Masks, seed: int) -> Masks:
        return masks
