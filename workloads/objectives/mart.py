"""MART: misclassification-aware adversarial training.

Wang, Zou, Yi, Bailey, Ma and Gu (2020): "Improving Adversarial Robustness Requires Revisiting Misclassified
Examples", ICLR, https://openreview.net/forum?id=rklOg6EFwS.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.attacks.base import Attack
from workloads.attacks.pgd import Pgd
from workloads.objectives._inner import diverged, with_attack
from workloads.objectives.base import Batch, Objective


@dataclass(frozen=True)
class Mart(Objective):
    """Minimises BCE(f(x'), y) + beta KL(f(x) || f(x')) (1 - f_y(x)), where x' is the attacked x.

    BCE is the cross entropy and a margin: -log f_y(x') - log(1 - the largest other share). So what is wrong
    before the attack weighs more. All shares are over all outputs, unknown ones too, which are attacked as
    well. The attacked network is in evaluation mode; in the loss, batch norm sees x and x' apart.
    """

    attack: Attack = field(default_factory=Pgd)
    beta: float = 5.0

    def __post_init__(self) -> None:
        if not self.beta >= 0:
            raise ValueError(f"beta must not be negative, got {self.beta}")

    def prepared(self, network: Network, batch: Batch) -> Batch:
        return with_attack(self.attack, network, batch)

    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        attacked = self.prepared(network, batch).attacked
        clean, hard = network(batch.images).float(), network(attacked).float()
        doubt = 1 - clean.softmax(1).gather(1, batch.labels[:, None])[:, 0]
        weighed: Tensor = self.beta * diverged(clean, hard) * doubt
        return _boosted(hard, batch.labels) + weighed.mean()


def _boosted(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean of -log p_y - log(1 - p_k), where k is the likeliest other output."""
    outputs = torch.arange(logits.shape[1], device=logits.device)
    other = logits.masked_fill(labels[:, None] == outputs, -torch.inf).argmax(1)
    # 1 - p_k is the sum of the others' shares: exact where p_k rounds to 1.
    rest = logits.log_softmax(1).masked_fill(other[:, None] == outputs, -torch.inf).logsumexp(1)
    return cross_entropy(logits, labels) - rest.mean()
