"""Taylor pruning, of first order (Molchanov, Mallya, Tyree, Frosio and Kautz, 2019, arXiv 1906.10771)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.pruning._gradients import Differentiated, loss
from workloads.pruning._samples import Samples


@dataclass(frozen=True)
class Taylor(Differentiated):
    """Ranks weights by (weight x gradient)^2, the squared change of a batch's loss, averaged over batches."""

    batches: int = 10
    """Parts of the images; with one the order is that of ``snip``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batches < 1:
            raise ValueError(f"batches must be at least 1, got {self.batches}")

    def rank(self, network: Network, weights: Sequence[nn.Parameter], samples: Samples) -> Sequence[Tensor]:
        parts = samples.parts(self.batches)
        mean = [torch.zeros_like(weight) for weight in weights]
        for part in parts:
            slopes = torch.autograd.grad(loss(network, part), weights)
            for total, weight, slope in zip(mean, weights, slopes, strict=True):
                total.add_((weight.detach() * slope).square(), alpha=1 / len(parts))
        return mean
