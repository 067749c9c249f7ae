"""Taylor pruning of channels (Molchanov, Mallya, Tyree, Frosio and Kautz, 2019, arXiv 1906.10771)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.channels._gates import Gated
from workloads.pruning._gradients import gradient
from workloads.pruning._samples import Samples


@dataclass(frozen=True)
class Taylor(Gated):
    """Ranks channels by the squared derivative of the loss by their gates, averaged over batches."""

    batches: int = 10
    """Parts of the images."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batches < 1:
            raise ValueError(f"batches must be at least 1, got {self.batches}")

    def terms(
        self, network: Network, weights: Sequence[nn.Parameter], samples: Samples
    ) -> Sequence[Sequence[Tensor]]:
        slopes = (gradient(network, weights, part) for part in samples.parts(self.batches))
        return [[w.detach() * slope for w, slope in zip(weights, part, strict=True)] for part in slopes]

    def combine(self, derivatives: Sequence[Tensor]) -> Tensor:
        return torch.stack([*derivatives]).square().mean(0)
