"""What every criterion of channels promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workloads.architectures.base import Network
from workloads.channels._groups import Group
from workloads.datasets.base import LearningData


@dataclass(frozen=True)
class ChannelCriterion(ABC):
    """How much each channel of a network matters. Higher scores are kept."""

    version: ClassVar[int] = 1

    @abstractmethod
    def scores(
        self, network: Network, groups: Sequence[Group], data: LearningData, seed: int
    ) -> Mapping[str, Tensor]:
        """Scores (C,) on the CPU by the names of ``groups``, in their order.

        The network is left as it was.
        """

    def rounds(self, sparsity: float) -> Sequence[float]:
        """The sparsities on the way from a whole network to ``sparsity``, which comes last.

        Each round scores what the one before left. One round, where a criterion does not say otherwise.
        """
        return (sparsity,)
