"""What every way of choosing the weights that a training keeps promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from workloads.masks import Masks

#: Batch-norm statistics of averaged weights: those of the last step, new ones of the training images as they
#: are, or new ones of what the objective shows the network (augmented, attacked).
BatchNorm = Literal["keep", "clean", "objective"]


@dataclass(frozen=True)
class Averaging(ABC):
    """Which weights are kept: the last, or a mean of those that a training passed through."""

    version: ClassVar[int] = 1
    masked: ClassVar[bool] = False
    """Whether it may begin while the topology changes; what the last masks remove is zero in the end."""

    @property
    @abstractmethod
    def begins(self) -> float:
        """The fraction of the training before which no weights are taken."""

    @property
    @abstractmethod
    def batch_norm(self) -> BatchNorm:
        """Where the batch-norm statistics of the average come from."""

    @abstractmethod
    def due(self, step: int, steps: int, per_epoch: int) -> bool:
        """Whether the weights after ``step`` of ``steps`` steps are taken; an epoch has ``per_epoch``."""

    def share(self, taken: int) -> float:
        """The share of new weights in the average, after ``taken`` before them.

        The plain mean, where a method does not say otherwise.
        """
        return 1 / (taken + 1)

    def factors(self, weights: Mapping[str, Tensor], masks: Masks, seed: int) -> dict[str, Tensor]:
        """What weights are multiplied by in the step of ``seed``, and whenever they are taken after it.

        By name; weights that are not named stay as they are: all, where a method does not say otherwise.
        """
        return {}
