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

    @property
    def settled(self) -> float:
        """The fraction of the training after which the topology stays, where a method does not say otherwise.

        Averages of weights begin there at the earliest.
        """
        return 1.0 if self.changes else 0.0

    def dense_gradient(self, step: int, steps: int) -> bool:
        """Whether ``step`` needs the gradients of weights that do not exist: a dense backward pass.

        Where a method does not say otherwise: to change the topology before the optimizer's step.
        """
        return not self.after_step and self.due(step, steps)

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
