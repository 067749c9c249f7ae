"""Gradual magnitude pruning, from dense to sparse along a cubic (Zhu and Gupta, 2017, arXiv 1710.01878)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.masks import Masks, keep_largest
from workloads.randomness import derive
from workloads.sparse_training._dense_start import whole
from workloads.sparse_training._random_start import noise
from workloads.sparse_training.base import Memory, Moment, Sparsify
from workloads.sparsity._rounding import exact_counts
from workloads.sparsity.base import Allocation
from workloads.sparsity.uniform import Uniform


@dataclass(frozen=True)
class Gradual(Sparsify):
    """Starts with the network as it comes and removes the smallest weights, fast at first, then slowly."""

    changes: ClassVar[bool] = True
    after_step: ClassVar[bool] = True

    sparsity: float
    """At the end of the pruning."""
    allocation: Allocation = field(default_factory=Uniform)
    begin: float = 0.0
    """Fraction of the training before which nothing goes."""
    end: float = 0.75
    """Fraction of the training after which the topology stays."""
    interval: int = 100
    """Steps from one pruning to the next."""

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"sparsity must be in [0, 1), got {self.sparsity}")
        if not 0 <= self.begin < self.end <= 1:
            raise ValueError(
                f"begin and end are fractions of the training, 0 <= begin < end <= 1, "
                f"got {self.begin} and {self.end}"
            )
        if self.interval < 1:
            raise ValueError(f"interval must be at least 1 step, got {self.interval}")

    @property
    def settled(self) -> float:
        return self.end

    def start(self, network: Network, masks: Masks, seed: int) -> Masks:
        return whole(network, masks, self.sparsity)

    @final
    def due(self, step: int, steps: int) -> bool:
        first, last = self._window(steps)
        return step == last or (first < step < last and (step - first) % self.interval == 0)

    def target(self, step: int, steps: int, initial: float) -> float:
        """The sparsity from ``step`` on, between ``initial`` and the final one."""
        first, last = self._window(steps)
        left = (last - step) / (last - first) if last > first else 0.0
        return self.sparsity + (initial - self.sparsity) * left**3

    @final
    def update(
        self,
        weights: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        masks: Masks,
        moment: Moment,
        memory: Memory,
    ) -> Masks:
        left = {name: int(mask.sum()) for name, mask in masks.items()}
        size = sum(mask.numel() for mask in masks.values())
        initial = memory.setdefault(
            "initial", torch.tensor(1 - sum(left.values()) / size, dtype=torch.float64)
        )
        scores = {name: weights[name].abs().masked_fill(~mask, -torch.inf) for name, mask in masks.items()}
        wanted = self.allocation.kept(scores, self.target(moment.step, moment.steps, initial.item()))
        # Rounding may give a layer one weight more than it has left; another layer keeps it then.
        counts = exact_counts(wanted, left, min(sum(wanted.values()), sum(left.values())))
        return {
            name: keep_largest(
                score, counts[name], noise(score, derive(moment.seed, "topology", moment.step, name), "drop")
            )
            for name, score in scores.items()
        }

    def _window(self, steps: int) -> tuple[int, int]:
        """The steps of the first and the last level; the last one is reached whatever the interval."""
        return int(self.begin * steps), min(int(self.end * steps), steps - 1)
