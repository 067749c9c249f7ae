"""Pruning filters by their norm (Li, Kadav, Durdanovic, Samet and Graf, 2017, arXiv 1608.08710)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.architectures._channels import OUT
from workloads.architectures.base import Network
from workloads.channels._groups import Group, totals
from workloads.channels.base import ChannelCriterion
from workloads.datasets.base import LearningData
from workloads.masks import prunable

#: Norms whose sum over coupled layers is that of all their filters together.
ORDERS = (1, 2)


@dataclass(frozen=True)
class Norm(ChannelCriterion):
    """Ranks channels by the norm of the weights that make them, over the mean of those they compete with.

    Without the mean (Fang et al., 2023, arXiv 2301.12900) wide layers would go first, since their weights are
    small. It changes nothing within a layer.
    """

    order: int = 1
    """1 for the L1 norm, 2 for the L2 norm."""

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ValueError(f"order must be 1 or 2, got {self.order}")

    def scores(
        self, network: Network, groups: Sequence[Group], data: LearningData, seed: int
    ) -> Mapping[str, Tensor]:
        powers = {name: weight.detach().abs() ** self.order for name, weight in prunable(network).items()}
        norms = {group.name: totals(group, powers, OUT) ** (1 / self.order) for group in groups}
        smallest = torch.finfo(torch.float32).tiny
        return {name: norm / norm.mean().clamp_min(smallest) for name, norm in norms.items()}
