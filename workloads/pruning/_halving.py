"""Criteria that prune in rounds, each of which goes half of the way that is left (the *-it criteria)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from workloads.pruning._gradients import Differentiated

#: Where the way begins: at half of the weights, and at a quarter for targets up to that.
STARTS = (0.5, 0.25)


@dataclass(frozen=True)
class Halving(Differentiated):
    """Scores what is left again in every round, on other images."""

    steps: int = 5
    """Rounds that halve the way, after the first, which goes to half of the weights."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 0:
            raise ValueError(f"steps must not be negative, got {self.steps}")

    @final
    def rounds(self, sparsity: float) -> Sequence[float]:
        return halved(sparsity, self.steps)


def halved(sparsity: float, steps: int) -> Sequence[float]:
    """``p - (p - start) / 2**i`` for i = 0 to ``steps``, then p; targets up to a quarter take one round."""
    start = next((start for start in STARTS if start < sparsity), None)
    if start is None:
        return (sparsity,)
    return (*(sparsity - (sparsity - start) * 0.5**number for number in range(steps + 1)), sparsity)
