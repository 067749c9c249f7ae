"""MOON's schedule in two phases, as in the authors' code.

Lei, Xu, Zhang and Mallick (2024): "Embracing Unknown Step by Step: Towards Reliable Sparse Training in Real
World", TMLR, arXiv 2403.20047. Weights are averaged over the second phase: give both the same ``begin``.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.schedules._anneal import half_cosine
from workloads.schedules.base import Schedule


@dataclass(frozen=True)
class Moon(Schedule):
    """Falls along half a cosine from ``start`` to ``end``, and stays there for the rest."""

    start: float = 1.2
    """The factor at the beginning: the authors' 1.2 of a rate of 0.1."""
    end: float = 0.08
    """The factor of the second phase."""
    begin: float = 0.8
    """Where the second phase begins, as a fraction of the training: the authors' last 20 of 100 epochs."""

    def __post_init__(self) -> None:
        if not self.start > 0:
            raise ValueError(f"start must be positive, got {self.start}")
        if not self.end > 0:
            raise ValueError(f"end must be positive, got {self.end}")
        if not 0 < self.begin <= 1:
            raise ValueError(f"begin is a fraction of the training in (0, 1], got {self.begin}")

    def factor(self, progress: float) -> float:
        return half_cosine(self.start, self.end, min(progress / self.begin, 1.0))
