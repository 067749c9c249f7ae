"""Random channels: the baseline every criterion must beat, and the shape of a small dense network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.channels._groups import Group
from workloads.channels.base import ChannelCriterion
from workloads.datasets.base import LearningData
from workloads.randomness import stream


@dataclass(frozen=True)
class Random(ChannelCriterion):
    """Ranks channels by chance; each group draws from a stream of its own name."""

    def scores(
        self, network: Network, groups: Sequence[Group], data: LearningData, seed: int
    ) -> Mapping[str, Tensor]:
        return {
            group.name: torch.rand(group.size, generator=stream(seed, "channels", group.name))
            for group in groups
        }
