"""What every way of training with masks promises: the first masks, and when and how they change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workloads.architectures.base import Network
from workloads.masks import Masks


@dataclass(frozen=True)
class Sparsify(ABC):
    """Which weights exist during a training, and when that changes."""

    version: ClassVar[int] = 1

    @abstractmethod
    def start(self, network: Network, masks: Masks, seed: int) -> Masks:
        """The masks to train with; ``masks`` are those the network came with (empty: dense)."""

    @abstractmethod
    def due(self, step: int, steps: int) -> bool:
        """Whether the topology changes at ``step`` (0-based) of ``steps``, in place of the optimizer's step."""

    @abstractmethod
    def update(
        self,
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        masks: Masks,
        step: int,
        steps: int,
        seed: int,
    ) -> Masks:
        """The next masks, from weights and dense gradients by name; ties are settled by (seed, step, layer).

        Weights that come back start at zero with zero momentum unless they were active before: the loop
        sees to that.
        """
