"""Random pruning: the baseline every criterion must beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets.base import LearningData
from workloads.masks import prunable
from workloads.pruning.base import Criterion
from workloads.randomness import stream


@dataclass(frozen=True)
class Random(Criterion):
    """Ranks weights by chance; each layer draws from a stream of its own name."""

    def scores(self, network: Network, data: LearningData, seed: int) -> Mapping[str, Tensor]:
        return {
            name: torch.rand(weight.shape, generator=stream(seed, "random", name)).to(weight.device)
            for name, weight in prunable(network).items()
        }
