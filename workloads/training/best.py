"""The network that stands up best to an attack on validation images, of those that a training passes through.

Rice, Wong and Kolter (2020): "Overfitting in adversarially robust deep learning", arXiv 2002.11569: the
robustness of the last network is well below that of the best one, and stopping early beats most remedies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.attacks.base import Attack
from workloads.datasets.base import Split
from workloads.masks import Masks
from workloads.randomness import derive
from workloads.training.evaluation import BATCH, attacked


@dataclass(frozen=True)
class Best:
    """A copy of a network that had the highest robust accuracy so far."""

    tensors: Mapping[str, Tensor]
    """Its weights, statistics and other buffers, by name."""
    masks: Masks
    robust_accuracy: float
    epochs: int
    """Epochs that the training had begun by then."""
    flops: float
    """Floating-point operations of the training's steps by then."""

    @classmethod
    def restored(cls, content: Mapping[str, Any] | None) -> Best | None:
        """What ``content``, the fields by name, was made from."""
        return None if content is None else cls(**content)


def better(
    best: Best | None, network: Network, masks: Masks, *, robust_accuracy: float, epochs: int, flops: float
) -> Best:
    """``best``, or a copy of ``network`` if that has a higher accuracy: of equal ones the earlier stays."""
    if best is not None and best.robust_accuracy >= robust_accuracy:
        return best
    tensors = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    return Best(tensors, dict(masks), robust_accuracy, epochs, flops)


def robust_accuracy(network: Network, attack: Attack, split: Split, seed: int) -> float:
    """The share of ``split`` on which ``network`` is right under ``attack``.

    Random starts are drawn from (``seed``, image): the same in every epoch, so that networks are compared.
    """
    places, drawn = torch.arange(len(split)), derive(seed, "best")
    found = attacked(network, attack, split, places, batch_size=BATCH, seed=drawn)
    return int(found.standing(network.classes).sum()) / len(split)
