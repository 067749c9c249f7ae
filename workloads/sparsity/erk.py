"""Erdos-Renyi-kernel sparsity: large layers become sparser than small ones.

Mocanu et al. (2018, arXiv 1707.04780) gave the rule for linear layers; Evci et al. (2020, arXiv 1911.11134)
added the kernel's sides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from workloads.sparsity._rounding import exact_counts, total_kept
from workloads.sparsity.base import Allocation


@dataclass(frozen=True)
class Erk(Allocation):
    """Keeps a share of each layer in proportion to the sum of its sides over their product."""

    power: float = 1.0
    """Exponent of that ratio: 0 is uniform."""

    def __post_init__(self) -> None:
        if self.power < 0:
            raise ValueError(f"power must not be negative, got {self.power}")

    def kept(self, scores: Mapping[str, Tensor], sparsity: float) -> Mapping[str, int]:
        sizes = {name: score.numel() for name, score in scores.items()}
        shares = densities({name: tuple(score.shape) for name, score in scores.items()}, sparsity, self.power)
        quotas = {name: shares[name] * size for name, size in sizes.items()}
        return exact_counts(quotas, sizes, total_kept(sizes, sparsity))


def densities(shapes: Mapping[str, tuple[int, ...]], sparsity: float, power: float = 1.0) -> dict[str, float]:
    """The share of each layer that stays, by name; layers whose share would exceed 1 are dense."""
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    zeros = {name: math.floor(sparsity * size) for name, size in sizes.items()}
    raw = {name: (sum(shape) / math.prod(shape)) ** power for name, shape in shapes.items()}
    dense: set[str] = set()
    while len(dense) < len(shapes):
        sparse = [name for name in shapes if name not in dense]
        budget = sum(sizes[name] - zeros[name] for name in sparse) - sum(zeros[name] for name in dense)
        scale = budget / sum(raw[name] * sizes[name] for name in sparse)
        largest = max(raw[name] for name in sparse)
        if largest * scale <= 1:
            return {name: 1.0 if name in dense else scale * raw[name] for name in shapes}
        dense |= {name for name in sparse if raw[name] == largest}
    return dict.fromkeys(shapes, 1.0)
