"""SNFS, sparse networks from scratch, or sparse momentum (Dettmers and Zettlemoyer, 2019, arXiv 1907.04840).

With the falling drop fraction and the interval in steps under which Evci et al. (2020, arXiv 1911.11134)
compare it with RigL; the original changes the topology after every epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workloads.masks import Masks
from workloads.sparse_training._drop_and_grow import DropAndGrow, Exchange, replaced
from workloads.sparse_training.base import Memory, Moment
from workloads.sparsity._rounding import exact_counts

MOMENTUM = "momentum/"
#: Below this sparsity an active layer drops at most the share that it lacks (the authors' code).
NEARLY_FULL = 0.2


@dataclass(frozen=True)
class Snfs(DropAndGrow):
    """Drops the smallest weights and grows where the gradient's running mean is largest.

    The connections move to the layers whose own have the largest mean momentum.
    """

    after_step: ClassVar[bool] = True
    watches: ClassVar[bool] = True

    momentum: float = 0.9
    """How much of the gradient's running mean stays from step to step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), got {self.momentum}")

    def observe(self, gradients: Mapping[str, Tensor], memory: Memory) -> None:
        for name, gradient in gradients.items():
            if MOMENTUM + name in memory:
                memory[MOMENTUM + name].lerp_(gradient, 1 - self.momentum)
            else:
                memory[MOMENTUM + name] = gradient * (1 - self.momentum)

    def signals(self, gradients: Mapping[str, Tensor], memory: Memory) -> Mapping[str, Tensor]:
        return {name: memory[MOMENTUM + name] for name in gradients}

    def growth(self, signal: Tensor, ties: Tensor) -> Tensor:
        return signal.abs()

    def exchange(self, masks: Masks, moment: Moment, memory: Memory) -> Exchange:
        fraction = self.fraction(moment.step, moment.steps)
        sizes = {name: mask.numel() for name, mask in masks.items()}
        active = {name: int(mask.sum()) for name, mask in masks.items()}
        means = torch.stack([memory[MOMENTUM + name][mask].abs().mean() for name, mask in masks.items()])
        shares = dict(
            zip(masks, (means.double() / means.double().sum()).nan_to_num(1.0).tolist(), strict=True)
        )
        dropped = {}
        for name, mask in masks.items():
            sparsity = 1 - active[name] / sizes[name]
            busy = sparsity < NEARLY_FULL and shares[name] > 1 / len(masks)
            dropped[name] = replaced(mask, min(sparsity, fraction) if busy else fraction)
        kept = {name: active[name] - dropped[name] for name in masks}
        room = {name: sizes[name] - kept[name] for name in masks}
        quotas = shared_out(sum(dropped.values()), shares, room)
        totals = exact_counts(
            {name: kept[name] + quotas[name] for name in masks}, sizes, sum(active.values())
        )
        return dropped, {name: totals[name] - kept[name] for name in masks}


def shared_out(total: int, shares: Mapping[str, float], room: Mapping[str, int]) -> dict[str, float]:
    """``total`` divided in proportion to ``shares``; what exceeds the ``room`` of one goes to the others."""
    quotas: dict[str, float] = {}
    while True:
        rest = [name for name in shares if name not in quotas]
        left, weight = total - sum(quotas.values()), sum(shares[name] for name in rest)
        wanted = {name: left * (shares[name] / weight if weight else 1 / len(rest)) for name in rest}
        full = [name for name in rest if wanted[name] > room[name]]
        if not full:
            return quotas | wanted
        quotas |= {name: float(room[name]) for name in full}
