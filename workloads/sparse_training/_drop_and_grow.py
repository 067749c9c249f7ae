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
from workloads.later import LATER
from workloads.masks import Masks, keep_largest
from workloads.randomness import derive
from workloads.sparse_training._random_start import noise, random_masks
from workloads.sparse_training.base import Memory, Moment, Sparsify
from workloads.sparsity.base import Allocation
from workloads.sparsity.erk import Erk

#: Layer -> number of connections: those that are dropped, and those that are grown.
Exchange = tuple[Mapping[str, int], Mapping[str, int]]
#: The places of a layer that have had a connection so far, in the memory.
SEEN = "seen/"


@dataclass(frozen=True)
class DropAndGrow(Sparsify):
    """Starts from random masks and replaces connections, layer by layer, the smallest weights first."""

    changes: ClassVar[bool] = True
    floor: ClassVar[float] = 0.0
    """Where the share that is replaced ends."""

    sparsity: float
    allocation: Allocation = field(default_factory=Erk)
    alpha: float = 0.3
    """Share of a layer's connections that the first change replaces."""
    interval: int = 100
    """Steps from one change to the next."""
    end: float = 0.75
    """Fraction of the training after which the topology stays."""
    decay_steps: int | None = field(default=None, metadata=LATER)
    """Steps in which the share falls, and then stays what it is; None: until ``end``.

    MOON's repository counts its 70 epochs as steps: ``decay_steps: 70`` is that, and replaces next to nothing
    afterwards (there still one connection of each layer, here none).
    """

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"sparsity must be in [0, 1), got {self.sparsity}")
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha is a share in (0, 1], got {self.alpha}")
        if self.interval < 1:
            raise ValueError(f"interval must be at least 1 step, got {self.interval}")
        if not 0 <= self.end <= 1:
            raise ValueError(f"end is a fraction of the training in [0, 1], got {self.end}")
        if self.decay_steps is not None and self.decay_steps < 1:
            raise ValueError(f"decay_steps must be at least 1, got {self.decay_steps}")

    @abstractmethod
    def growth(self, signal: Tensor, ties: Tensor) -> Tensor:
        """How much each place of a layer deserves a connection; ``ties`` are uniform numbers in [0, 1)."""

    def signals(self, gradients: Mapping[str, Tensor], memory: Memory) -> Mapping[str, Tensor]:
        """What `growth` looks at, by name: the gradients, where a method does not say otherwise."""
        return gradients

    def exchange(self, masks: Masks, moment: Moment, memory: Memory) -> Exchange:
        """How many connections each layer drops and grows, where a method does not say otherwise.

        The same `fraction` of each layer, rounded down; a full layer is left alone.
        """
        fraction = self.fraction(moment.step, moment.steps)
        dropped = {name: replaced(mask, fraction) for name, mask in masks.items()}
        return dropped, dropped

    @final
    def start(self, network: Network, masks: Masks, seed: int) -> Masks:
        return random_masks(network, masks, self.allocation, self.sparsity, seed)

    @final
    @property
    def settled(self) -> float:
        return self.end

    @final
    def due(self, step: int, steps: int) -> bool:
        return step % self.interval_at(step, steps) == 0 and step < self.last(steps)

    def interval_at(self, step: int, steps: int) -> int:
        """Steps between changes around ``step``: the same always, where a method does not say otherwise."""
        return self.interval

    @final
    def last(self, steps: int) -> int:
        """The step from which on the topology stays."""
        return int(self.end * steps)

    @final
    def fraction(self, step: int, steps: int) -> float:
        """The share of the connections that is replaced at ``step``."""
        steps = self.last(steps) if self.decay_steps is None else self.decay_steps
        step = step if self.decay_steps is None else min(step, steps - 1)
        cosine = math.cos(math.pi * step / steps)
        return self.floor + (self.alpha - self.floor) / 2 * (1 + cosine)

    @final
    def update(
        self,
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        masks: Masks,
        moment: Moment,
        memory: Memory,
    ) -> Masks:
        dropped, grown = self.exchange(masks, moment, memory)
        signals = self.signals(gradients, memory)
        changed = {}
        for name, mask in masks.items():
            seed = derive(moment.seed, "topology", moment.step, name)
            stays = _without(mask, weights[name], dropped[name], seed)
            changed[name] = self._with(stays, signals[name], grown[name], seed)
            memory[SEEN + name] = memory.get(SEEN + name, mask) | changed[name]
        return changed

    @final
    def report(self, masks: Masks, memory: Memory) -> Mapping[str, float]:
        seen = {name: memory.get(SEEN + name, mask) for name, mask in masks.items()}
        size = sum(mask.numel() for mask in masks.values())
        return {"explored": sum(int(mask.sum()) for mask in seen.values()) / size}

    def _with(self, stays: Tensor, signal: Tensor, count: int, seed: int) -> Tensor:
        """The mask of one layer with ``count`` connections more; a dropped one may come back."""
        if not count:
            return stays
        ties = noise(stays, seed, "grow")
        return stays | keep_largest(self.growth(signal, ties).masked_fill(stays, -torch.inf), count, ties)


def replaced(mask: Tensor, fraction: float) -> int:
    """How many connections of a layer are replaced: none in a full one, where nothing else can grow."""
    active = int(mask.sum())
    return 0 if active == mask.numel() else int(fraction * active)


def _without(mask: Tensor, weight: Tensor, count: int, seed: int) -> Tensor:
    """The mask of one layer without its ``count`` smallest weights."""
    if not count:
        return mask
    worth = weight.abs().masked_fill(~mask, -torch.inf)
    return keep_largest(worth, int(mask.sum()) - count, noise(weight, seed, "drop"))
