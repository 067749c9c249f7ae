"""CroP-it, CroP in rounds (Rachwan et al., 2022, arXiv 2206.10451)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.pruning._gradients import curved, in_parts
from workloads.pruning._halving import Halving
from workloads.pruning._samples import Samples


@dataclass(frozen=True)
class CropIterative(Halving):
    """Ranks weights by |weight x (H g)| in rounds."""

    def rank(self, network: Network, weights: Sequence[nn.Parameter], samples: Samples) -> Sequence[Tensor]:
        product = curved(network, weights, in_parts(samples))
        return [(weight * change).abs() for weight, change in zip(weights, product, strict=True)]
