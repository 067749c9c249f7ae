"""What criteria share that ask the gradients of the loss on training images."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.datasets.base import LearningData
from workloads.masks import prunable
from workloads.pruning._samples import Samples, balanced
from workloads.pruning.base import Criterion

#: Images of one forward pass, for the sake of memory: sums over parts are sums over all.
PART = 250


@dataclass(frozen=True)
class Differentiated(Criterion):
    """Looks at as many training images of each class through a copy of the network."""

    training: ClassVar[bool] = False
    """Whether batch norm uses the statistics of the images it sees, as in training."""

    per_class: int = 25
    """Training images of each class."""

    def __post_init__(self) -> None:
        if self.per_class < 1:
            raise ValueError(f"per_class must be at least 1, got {self.per_class}")

    @final
    def scores(self, network: Network, data: LearningData, seed: int) -> Mapping[str, Tensor]:
        own = copy.deepcopy(network).train(self.training).requires_grad_(False)
        weights = prunable(own)
        for weight in weights.values():
            weight.requires_grad_(True)
        samples = balanced(data.train, self.per_class, seed, network.mean.device)
        with torch.enable_grad():
            found = self.rank(own, list(weights.values()), samples)
        return {name: score.detach() for name, score in zip(weights, found, strict=True)}

    @abstractmethod
    def rank(self, network: Network, weights: Sequence[nn.Parameter], samples: Samples) -> Sequence[Tensor]:
        """A score for each of ``weights`` of ``network``, a copy in evaluation mode unless `training`."""


def loss(network: Network, samples: Samples, temperature: float = 1.0) -> Tensor:
    """The mean cross entropy of ``samples`` with logits over ``temperature``."""
    return cross_entropy(network(samples.images) / temperature, samples.labels)


def gradient(network: Network, weights: Sequence[nn.Parameter], samples: Samples) -> list[Tensor]:
    """The gradient of the mean cross entropy of ``samples`` by each of ``weights``."""
    total = [torch.zeros_like(weight) for weight in weights]
    for part in in_parts(samples):
        share = len(part) / len(samples)
        torch._foreach_add_(total, torch.autograd.grad(share * loss(network, part), weights))
    return total


def curved(
    network: Network, weights: Sequence[nn.Parameter], parts: Sequence[Samples], temperature: float = 1.0
) -> list[Tensor]:
    """The Hessian times the gradient, H g, of the sum over ``parts`` of their mean cross entropies.

    Only weights that are not zero take part in g: the others are gone.
    """
    flow = [torch.zeros_like(weight) for weight in weights]
    for part in parts:
        torch._foreach_add_(flow, torch.autograd.grad(loss(network, part, temperature), weights))
    torch._foreach_mul_(flow, [(weight != 0).to(weight.dtype) for weight in weights])
    product = [torch.zeros_like(weight) for weight in weights]
    for part in parts:
        slopes = torch.autograd.grad(loss(network, part, temperature), weights, create_graph=True)
        along = torch.stack([(g * slope).sum() for g, slope in zip(flow, slopes, strict=True)]).sum()
        torch._foreach_add_(product, torch.autograd.grad(along, weights))
    return product


def in_parts(samples: Samples) -> list[Samples]:
    """Parts of at most `PART` images."""
    return samples.parts(-(-len(samples) // PART))
