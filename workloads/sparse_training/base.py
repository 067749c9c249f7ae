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
class Moment:
    """Where a training stands: at ``step`` (0-based) of ``steps``, with the seed for what is random there."""

    step: int
    steps: int
    seed: int


@dataclass(frozen=True)
class Sparsify(ABC):
    """Which weights exist during a training, and when that changes."""

    version: ClassVar[int] = 1
    changes: ClassVar[bool] = False
    """Whether the topology changes during the training at all."""
    after_step: ClassVar[bool] = False
    """Whether the optimizer steps before a change (SET), instead of leaving that step out (RigL)."""

    @abstractmethod
    def start(self, network: Network, masks: Masks, seed: int) -> Masks:
        """The masks to train with; ``masks`` are those the network came with (empty: dense)."""

    @abstractmethod
    def due(self, step: int, steps: int) -> bool:
        """Whether the topology changes at ``step`` (0-based) of ``steps``."""

    @abstractmethod
    def update(
        self,
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        masks: Masks,
        moment: Moment,
    ) -> Masks:
        """The next masks, from weights and gradients by name; ties are settled by (seed, step, layer).

        The gradients are dense, unless the optimizer has just used them (`after_step`). New connections
        start at zero with zero momentum, dropped ones that come back at once go on: the loop sees to that.
        """
