"""IGQ quotas, as "Sparsity Winning Twice" uses them (Chen et al., 2022, arXiv 2202.09844).

Large layers become sparser; no layer becomes dense, and none empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from workloads.sparsity._rounding import exact_counts, total_kept
from workloads.sparsity.base import Allocation

#: Halvings after which a float64 has no digits left to settle.
HALVINGS = 200


@dataclass(frozen=True)
class Igq(Allocation):
    """Keeps 1 / (1 + F N) of a layer of N weights, with the F that meets the total."""

    def kept(self, scores: Mapping[str, Tensor], sparsity: float) -> Mapping[str, int]:
        sizes = {name: score.numel() for name, score in scores.items()}
        shares = densities(sizes, sparsity)
        quotas = {name: shares[name] * size for name, size in sizes.items()}
        return exact_counts(quotas, sizes, total_kept(sizes, sparsity))


def densities(sizes: Mapping[str, int], sparsity: float) -> dict[str, float]:
    """The share of each layer that stays, by name, from the number of its weights."""
    wanted = (1 - sparsity) * sum(sizes.values())
    low, high = 0.0, 1.0
    while _left(sizes, high) > wanted:
        high *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _left(sizes, middle) > wanted else (low, middle)
    return {name: 1 / (1 + high * size) for name, size in sizes.items()}


def _left(sizes: Mapping[str, int], factor: float) -> float:
    """The weights that stay with this F."""
    return sum(size / (1 + factor * size) for size in sizes.values())
