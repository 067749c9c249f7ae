"""SynFlow, iterative synaptic flow pruning (Tanaka, Kunin, Yamins and Ganguli, 2020, arXiv 2006.05467)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets.base import LearningData
from workloads.masks import prunable
from workloads.pruning.base import Criterion


@dataclass(frozen=True)
class Synflow(Criterion):
    """Ranks weights by their share of the flow from an image of ones to the outputs; no data are needed.

    The flow goes through the absolute values of all parameters and statistics, in float64, behind the
    network's own normalisation of images.
    """

    iterations: int = 100
    """Rounds; the share of weights that is left falls by the same factor in each."""

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")

    def rounds(self, sparsity: float) -> Sequence[float]:
        shares = [number / self.iterations for number in range(1, self.iterations)]
        return (*(1 - (1 - sparsity) ** share for share in shares), sparsity)

    def scores(self, network: Network, data: LearningData, seed: int) -> Mapping[str, Tensor]:
        own = copy.deepcopy(network).double().eval().requires_grad_(False)
        for tensor in own.state_dict().values():
            tensor.abs_()
        own.mean.zero_()
        own.std.fill_(1)
        weights = {name: weight.requires_grad_(True) for name, weight in prunable(own).items()}
        ones = torch.ones((1, *network.shape), dtype=torch.float64, device=own.mean.device)
        with torch.enable_grad():
            slopes = torch.autograd.grad(own(ones).sum(), list(weights.values()))
        return {
            name: (weight * slope).detach().abs()
            for (name, weight), slope in zip(weights.items(), slopes, strict=True)
        }
