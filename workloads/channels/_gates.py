"""What criteria share that ask what a gate on each channel does to the network.

A gate multiplies a channel wherever it is read, so it multiplies the weights that read it: derivatives by the
gates, at one, are sums over these weights. At zero the channel is gone.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from workloads.architectures._channels import IN
from workloads.architectures.base import Network
from workloads.channels._groups import Group, totals
from workloads.channels.base import ChannelCriterion
from workloads.datasets.base import LearningData
from workloads.masks import prunable
from workloads.pruning._samples import Samples, balanced


@dataclass(frozen=True)
class Gated(ChannelCriterion):
    """Looks at as many training images of each class through a copy of the network."""

    per_class: int = 25
    """Training images of each class."""

    def __post_init__(self) -> None:
        if self.per_class < 1:
            raise ValueError(f"per_class must be at least 1, got {self.per_class}")

    @final
    def scores(
        self, network: Network, groups: Sequence[Group], data: LearningData, seed: int
    ) -> Mapping[str, Tensor]:
        own = copy.deepcopy(network).eval().requires_grad_(False)
        weights = prunable(own)
        for weight in weights.values():
            weight.requires_grad_(True)
        samples = balanced(data.train, self.per_class, seed, network.mean.device)
        with torch.enable_grad():
            terms = [
                dict(zip(weights, term, strict=True))
                for term in self.terms(own, [*weights.values()], samples)
            ]
        gates = {group.name: [totals(group, term, IN) for term in terms] for group in groups}
        return {name: self.combine(derivatives) for name, derivatives in gates.items()}

    @abstractmethod
    def terms(
        self, network: Network, weights: Sequence[nn.Parameter], samples: Samples
    ) -> Sequence[Sequence[Tensor]]:
        """Tensors like ``weights`` whose sums over what reads a channel are derivatives by its gate.

        They are detached. ``network`` is a copy in evaluation mode.
        """

    @abstractmethod
    def combine(self, derivatives: Sequence[Tensor]) -> Tensor:
        """The scores (C,) of a group's channels from the derivatives (C,) of each of the terms."""
