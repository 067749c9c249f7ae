"""What every way of training with masks promises: the first masks, and when and how they change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.datasets.base import LearningData
from workloads.masks import Masks

#: What a method remembers from step to step, by name: it is checkpointed and comes back.
Memory = dict[str, Tensor]


@dataclass(frozen=True)
class Moment:
    """Where a training stands: at ``step`` (0-based) of ``steps``, with the seed for what is random there."""

    step: int
    steps: int
    seed: int


@dataclass(frozen=True)
class Learning:
    """Masks that are learned: the optimizer moves a score per weight instead of the weight."""

    scores: dict[str, nn.Parameter]
    """By the weight's name, in its shape."""
    weights: dict[str, Tensor]
    """The values that stay, by name; the network has them where its masks are True."""
    trained: list[nn.Parameter]
    """The network's own parameters that the optimizer moves as well."""


@dataclass(frozen=True)
class Sparsify(ABC):
    """Which weights exist during a training, and when that changes."""

    version: ClassVar[int] = 1
    changes: ClassVar[bool] = False
    """Whether the topology changes again and again during the training."""
    after_step: ClassVar[bool] = False
    """Whether the optimizer steps before a change (SET), instead of leaving that step out (RigL)."""
    watches: ClassVar[bool] = False
    """Whether it must `observe` the dense gradients of every step."""

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
        return self.watches or (not self.after_step and self.due(step, steps))

    @abstractmethod
    def update(
        self,
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        masks: Masks,
        moment: Moment,
        memory: Memory,
    ) -> Masks:
        """The next masks, from weights and gradients by name; ties are settled by (seed, step, layer).

        The gradients are dense where `dense_gradient` asks for it. Where masks are learned the scores stand
        for the weights. New connections start at zero with zero momentum, dropped ones that come back at
        once go on: the loop sees to that.
        """

    def learning(self, network: Network, masks: Masks, seed: int) -> Learning | None:
        """What is learned instead of weights; None, unless the masks themselves are learned."""
        return None

    def observe(self, gradients: Mapping[str, Tensor], memory: Memory) -> None:
        """Put into ``memory`` what the dense gradients of a step say; asked only where it `watches`."""
        raise NotImplementedError(f"{type(self).__name__} watches and must say how it observes")

    def review(
        self, network: Network, masks: Masks, data: LearningData, moment: Moment, memory: Memory
    ) -> Masks:
        """The masks to go on with after an epoch, when ``moment.step`` steps have been taken: the same ones.

        Whoever says otherwise leaves the network as it was.
        """
        return masks

    def report(self, masks: Masks, memory: Memory) -> Mapping[str, float]:
        """What the method says of itself at the end, as metrics: nothing, where it does not say otherwise."""
        return {}
