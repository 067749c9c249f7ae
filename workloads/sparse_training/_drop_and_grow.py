"""Sparse training that now and then drops connections and grows as many others (dynamic sparse training).

The schedule is that of Evci et al. (2020, arXiv 1911.11134): every ``interval`` steps until ``end``, a share
of each layer's connections that falls along half a cosine.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.masks import Masks, keep_largest
from workloads.randomness import derive
from workloads.sparse_training._random_start import noise, random_masks
from workloads.sparse_training.base import Moment, Sparsify
from workloads.sparsity.base import Allocation
from workloads.sparsity.erk import Erk


@dataclass(frozen=True)
class DropAndGrow(Sparsify):
    """Starts from random masks; each layer keeps its number of connections throughout."""

    changes: ClassVar[bool] = True

    sparsity: float
    allocation: Allocation = field(default_factory=Erk)
    alpha: float = 0.3
    """Share of a layer's connections that the first change replaces."""
    interval: int = 100
    """Steps from one change to the next."""
    end: float = 0.75
    """Fraction of the training after which the topology stays."""

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"sparsity must be in [0, 1), got {self.sparsity}")
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha is a share in (0, 1], got {self.alpha}")
        if self.interval < 1:
            raise ValueError(f"interval must be at least 1 step, got {self.interval}")
        if not 0 <= self.end <= 1:
            raise ValueError(f"end is a fraction of the training in [0, 1], got {self.end}")

    @abstractmethod
    def growth(self, gradient: Tensor, ties: Tensor) -> Tensor:
        """How much each place of a layer deserves a connection; ``ties`` are uniform numbers in [0, 1)."""

    def worth(self, weight: Tensor) -> Tensor:
        """How much each connection deserves to stay: its magnitude, where a method does not say otherwise."""
        return weight.abs()

    @final
    def start(self, network: Network, masks: Masks, seed: int) -> Masks:
        return random_masks(network, masks, self.allocation, self.sparsity, seed)

    @final
    @property
    def settled(self) -> float:
        return self.end

    @final
    def due(self, step: int, steps: int) -> bool:
        return step % self.interval == 0 and step < self.last(steps)

    @final
    def last(self, steps: int) -> int:
        """The step from which on the topology stays."""
        return int(self.end * steps)

    @final
    def fraction(self, step: int, steps: int) -> float:
        """The share of the connections that is replaced at ``step``."""
        return self.alpha / 2 * (1 + math.cos(math.pi * step / self.last(steps)))

    @final
    def update(
        self,
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        masks: Masks,
        moment: Moment,
    ) -> Masks:
        fraction = self.fraction(moment.step, moment.steps)
        return {
            name: self._rewired(
                weights[name],
                gradients[name],
                mask,
                fraction,
                derive(moment.seed, "topology", moment.step, name),
            )
            for name, mask in masks.items()
        }

    def _rewired(self, weight: Tensor, gradient: Tensor, mask: Tensor, fraction: float, seed: int) -> Tensor:
        """The next mask of one layer: as many connections as before; a dropped one may grow back."""
        active = int(mask.sum())
        count = int(fraction * active)
        if not count or active == mask.numel():
            return mask
        worth = self.worth(weight).masked_fill(~mask, -torch.inf)
        stays = keep_largest(worth, active - count, noise(weight, seed, "drop"))
        ties = noise(weight, seed, "grow")
        return stays | keep_largest(self.growth(gradient, ties).masked_fill(stays, -torch.inf), count, ties)
