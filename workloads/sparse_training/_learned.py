"""Masks that are learned while the weights stay: the largest scores select, and the optimizer moves scores.

The gradient goes straight through the selection: that of |score| is the gradient of the selected weight
times the weight. It is dense, and the network itself holds the selected weights at every step.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.masks import Masks, prunable
from workloads.sparse_training.base import Learning, Memory, Moment, Sparsify
from workloads.sparsity.base import Allocation
from workloads.sparsity.uniform import Uniform


@dataclass(frozen=True)
class Learned(Sparsify):
    """Selects the weights with the largest absolute scores after every step; the weights never move."""

    changes: ClassVar[bool] = True
    after_step: ClassVar[bool] = True

    sparsity: float
    allocation: Allocation = field(default_factory=Uniform)
    """How many weights of each layer are selected."""
    batch_norm: bool = False
    """Whether the scales and shifts of batch norm learn as well."""

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"sparsity must be in [0, 1), got {self.sparsity}")

    @abstractmethod
    def first_scores(self, weights: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
        """The scores to start with, by name; they are not zero where a weight may be selected."""

    def values(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights that are selected from: the network's own, where a method does not say otherwise."""
        return {name: weight.clone() for name, weight in weights.items()}

    @final
    @torch.no_grad()
    def learning(self, network: Network, masks: Masks, seed: int) -> Learning:
        weights = prunable(network)
        norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
        return Learning(
            {name: nn.Parameter(score) for name, score in self._scores(network, masks, seed).items()},
            self.values({name: weight.detach() for name, weight in weights.items()}),
            [value for layer in norms for value in layer.parameters()] if self.batch_norm else [],
        )

    @final
    def start(self, network: Network, masks: Masks, seed: int) -> Masks:
        return self._selected(self._scores(network, masks, seed))

    @final
    def due(self, step: int, steps: int) -> bool:
        return True

    @final
    def dense_gradient(self, step: int, steps: int) -> bool:
        return True

    @final
    def update(
        self,
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        masks: Masks,
        moment: Moment,
        memory: Memory,
    ) -> Masks:
        return self._selected(weights)

    def _selected(self, scores: Mapping[str, Tensor]) -> Masks:
        return self.allocation.masks(
            {name: score.detach().abs() for name, score in scores.items()}, self.sparsity
        )

    def _scores(self, network: Network, masks: Masks, seed: int) -> dict[str, Tensor]:
        """The first scores; zero, and so selected last, for weights that ``masks`` has removed already."""
        weights = {name: weight.detach() for name, weight in prunable(network).items()}
        scores = self.first_scores(weights, seed)
        return {name: score * masks[name] if name in masks else score for name, score in scores.items()}
