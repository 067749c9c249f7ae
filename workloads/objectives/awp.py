"""Adversarial weight perturbation.

Wu, Xia and Wang (2020): "Adversarial Weight Perturbation Helps Robust Generalization", arXiv 2004.05884; one
step of ascent, as in the paper and in the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call

from workloads.architectures.base import Network
from workloads.masks import prunable
from workloads.objectives.adversarial import Adversarial
from workloads.objectives.base import Batch, Objective, Outliers

#: Keeps a division by the length of a vector of zeros from being one by zero.
TINY = 1e-20


@dataclass(frozen=True)
class Awp(Objective):
    """Minimises another objective where weights nearby make it worst: its gradient there moves the weights.

    The weights of each convolution and linear layer are moved along the gradient of the loss by ``gamma`` of
    their own length; biases and batch norm stay. Weights of exactly zero are not moved: those that masks
    removed, and for one step those that have just grown. Images are attacked once, before the weights are
    moved, and the batch-norm statistics are those of the second loss.
    """

    objective: Objective = field(default_factory=Adversarial)
    gamma: float = 0.01
    """Length of a layer's perturbation, relative to its weights: 0.01 for adversarial, 0.005 for trades."""
    warmup: float = 0.0
    """Fraction of the training, from its start, in which the weights are not moved."""

    def __post_init__(self) -> None:
        if not self.gamma >= 0:
            raise ValueError(f"gamma must not be negative, got {self.gamma}")
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"warmup is a fraction of the training in [0, 1], got {self.warmup}")

    @property
    def soft(self) -> bool:
        return self.objective.soft

    @property
    def unknown(self) -> bool:
        return self.objective.unknown

    @property
    def outliers(self) -> Outliers | None:
        return self.objective.outliers

    @property
    def replays(self) -> int:
        return self.objective.replays

    def prepared(self, network: Network, batch: Batch) -> Batch:
        return self.objective.prepared(network, batch)

    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        if batch.step < self.warmup * batch.steps:
            return self.objective.loss(network, batch, memory)
        batch = self.prepared(network, batch)
        whole = _Loss(self.objective, network)
        moved = {
            f"network.{name}": weight + change
            for (name, weight), change in zip(
                prunable(network).items(), self._changes(whole, batch, memory), strict=True
            )
        }
        found: Tensor = functional_call(whole, moved, (batch, memory))
        return found

    def _changes(self, whole: _Loss, batch: Batch, memory: dict[str, Tensor]) -> list[Tensor]:
        """What is added to each of the prunable weights, detached."""
        weights = [*prunable(whole.network).values()]
        # Copies of the batch-norm statistics and of the memory: the real ones belong to the second loss.
        buffers = {name: buffer.clone() for name, buffer in whole.named_buffers()}
        with torch.enable_grad():
            loss = functional_call(whole, buffers, (batch, dict(memory)))
            gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            return [
                way * (self.gamma * weight.norm() / (way.norm() + TINY))
                for weight, gradient in zip(weights, gradients, strict=True)
                for way in (gradient * (weight != 0),)
            ]


class _Loss(nn.Module):
    """The loss of an objective as a function of the network's tensors."""

    def __init__(self, objective: Objective, network: Network) -> None:
        super().__init__()
        self.objective = objective
        self.network = network

    def forward(self, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        return self.objective.loss(self.network, batch, memory)
