"""What every pruning criterion promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets.base import LearningData


@dataclass(frozen=True)
class Criterion(ABC):
    """How much each weight of a network matters. Higher scores are kept."""

    version: ClassVar[int] = 1

    @abstractmethod
    def scores(self, network: Network, data: LearningData, seed: int) -> Mapping[str, Tensor]:
        """A score per prunable weight, by the weight's name, in its shape; the network is left as it was.

        Weights that are gone already are exactly zero in ``network``; their scores do not count.
        """

    def rounds(self, sparsity: float) -> Sequence[float]:
        """The sparsities on the way from a dense network to ``sparsity``, which comes last.

        Each round scores what the one before left. One round, where a criterion does not say otherwise.
        """
        return (sparsity,)
