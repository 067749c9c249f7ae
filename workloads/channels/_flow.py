"""The gradient flow by the gates of channels: structured CroP (Rachwan et al., 2022, arXiv 2206.10451)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.channels._gates import Gated
from workloads.pruning._gradients import curved, gradient, in_parts
from workloads.pruning._samples import Samples


@dataclass(frozen=True)
class Flow(Gated):
    """Scores channels by how much the gradient flow changes when they begin to vanish.

    The flow is z = g . g(gates), with the gradient g of the loss by the weights held fixed, so the derivative
    by a gate sums g g + weight (H g) over the weights that read the channel; the score is its absolute value.
    """

    @final
    def terms(
        self, network: Network, weights: Sequence[nn.Parameter], samples: Samples
    ) -> Sequence[Sequence[Tensor]]:
        parts = in_parts(samples)
        each = [gradient(network, weights, part) for part in parts]
        slopes = [torch.stack(part).sum(0) for part in zip(*each, strict=True)]
        product = curved(network, weights, parts)
        return [
            [
                slope.square() * (weight.detach() != 0) + weight.detach() * change
                for weight, slope, change in zip(weights, slopes, product, strict=True)
            ]
        ]

    @final
    def combine(self, derivatives: Sequence[Tensor]) -> Tensor:
        (derivative,) = derivatives
        return derivative.abs()
