"""CroP, pruning that preserves the gradient flow (Rachwan et al., 2022, arXiv 2206.10451)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.pruning._gradients import Differentiated, curved, in_parts
from workloads.pruning._samples import Samples


@dataclass(frozen=True)
class Crop(Differentiated):
    """Ranks weights by how much the gradient flow changes when they begin to vanish: |weight x (H g)|."""

    def rank(self, network: Network, weights: Sequence[nn.Parameter], samples: Samples) -> Sequence[Tensor]:
        product = curved(network, weights, in_parts(samples))
        return [(weight * change).abs() for weight, change in zip(weights, product, strict=True)]
