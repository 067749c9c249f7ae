"""Magnitude pruning (Han, Pool, Tran and Dally, 2015, arXiv 1506.02626)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets.base import LearningData
from workloads.masks import prunable
from workloads.pruning.base import Criterion


@dataclass(frozen=True)
class Magnitude(Criterion):
    """Ranks weights by their absolute value."""

    def scores(self, network: Network, data: LearningData, seed: int) -> Mapping[str, Tensor]:
        return {name: weight.detach().abs() for name, weight in prunable(network).items()}
