"""SNIP-it (Verdenius, Stol and Forre, 2020, arXiv 2006.00896)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.pruning._gradients import gradient
from workloads.pruning._halving import Halving
from workloads.pruning._samples import Samples


@dataclass(frozen=True)
class SnipIterative(Halving):
    """Ranks weights by |weight x gradient| in rounds, at the cross entropy."""

    def rank(self, network: Network, weights: Sequence[nn.Parameter], samples: Samples) -> Sequence[Tensor]:
        slopes = gradient(network, weights, samples)
        return [(weight * slope).abs() for weight, slope in zip(weights, slopes, strict=True)]
