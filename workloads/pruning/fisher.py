"""Fisher pruning (Theis, Korshunova, Tejani and Huszar, 2018, arXiv 1801.05787)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.pruning._gradients import Differentiated, loss
from workloads.pruning._samples import Samples


@dataclass(frozen=True)
class Fisher(Differentiated):
    """Ranks weights by weight^2 F / 2, with F the mean squared gradient of single images.

    The gradients are those of the true labels: the empirical Fisher information, its diagonal.
    """

    def rank(self, network: Network, weights: Sequence[nn.Parameter], samples: Samples) -> Sequence[Tensor]:
        information = [torch.zeros_like(weight) for weight in weights]
        for one in samples.parts(len(samples)):
            slopes = torch.autograd.grad(loss(network, one), weights)
            for total, slope in zip(information, slopes, strict=True):
                total.addcmul_(slope, slope, value=1 / len(samples))
        return [weight.square() * total / 2 for weight, total in zip(weights, information, strict=True)]
