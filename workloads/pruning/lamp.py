"""LAMP, layer-adaptive magnitude pruning (Lee, Park, Mo, Ahn and Shin, 2021, arXiv 2010.07611)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets.base import LearningData
from workloads.masks import prunable
from workloads.pruning.base import Criterion
from workloads.sparsity.lamp import lamp


@dataclass(frozen=True)
class Lamp(Criterion):
    """Ranks weights by their square over the sum of all squares in the layer that are not smaller.

    With the allocation ``global`` this is the paper's method: it chooses how sparse each layer becomes, and
    takes the smallest weights there. The largest weight of a layer scores 1, so no layer is emptied.
    """

    def scores(self, network: Network, data: LearningData, seed: int) -> Mapping[str, Tensor]:
        return {name: lamp(weight.detach()) for name, weight in prunable(network).items()}
