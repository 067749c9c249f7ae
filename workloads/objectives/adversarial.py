"""Adversarial training (Madry et al., 2018, arXiv 1706.06083).

The mix with the clean loss is that of Goodfellow et al. (2015, arXiv 1412.6572).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.attacks.base import Attack
from workloads.attacks.pgd import Pgd
from workloads.objectives._inner import with_attack
from workloads.objectives.base import Batch, Objective


@dataclass(frozen=True)
class Adversarial(Objective):
    """Minimises the cross entropy on images that are attacked as the training goes on.

    The attack raises the cross entropy over all outputs, unknown ones too, on the network in evaluation mode.
    """

    attack: Attack = field(default_factory=Pgd)
    mix: float = 0.0
    """Weight of the clean loss: 0 is Madry et al., 0.5 the equal mix of Goodfellow et al."""
    joint: bool = True
    """Clean and attacked images go through the network as one batch, so batch norm sees them together."""
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.mix <= 1:
            raise ValueError(f"mix is a weight in [0, 1], got {self.mix}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1), got {self.label_smoothing}")

    def prepared(self, network: Network, batch: Batch) -> Batch:
        return batch if self.mix == 1 else with_attack(self.attack, network, batch)

    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        attacked = self.prepared(network, batch).attacked
        if attacked is None:
            return self._loss(network(batch.images), batch.labels)
        if self.mix == 0:
            return self._loss(network(attacked), batch.labels)
        if self.joint:
            clean, hard = network(torch.cat([batch.images, attacked])).chunk(2)
        else:
            clean, hard = network(batch.images), network(attacked)
        return self.mix * self._loss(clean, batch.labels) + (1 - self.mix) * self._loss(hard, batch.labels)

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
