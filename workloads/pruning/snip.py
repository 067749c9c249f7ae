"""SNIP, single-shot network pruning (Lee, Ajanthan and Torr, 2019, arXiv 1810.02340)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.pruning._gradients import Differentiated, gradient
from workloads.pruning._samples import Samples


@dataclass(frozen=True)
class Snip(Differentiated):
    """Ranks weights by how much the loss changes when they begin to vanish: |weight x gradient|.

    The paper divides by the sum over all weights, which does not change the order. With ten classes it looks
    at one batch of about a hundred images.
    """

    per_class: int = 10

    def rank(self, network: Network, weights: Sequence[nn.Parameter], samples: Samples) -> Sequence[Tensor]:
        slopes = gradient(network, weights, samples)
        return [(weight * slope).abs() for weight, slope in zip(weights, slopes, strict=True)]
