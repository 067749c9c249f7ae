"""Structured CroP-it, structured CroP in rounds (Rachwan et al., 2022, arXiv 2206.10451)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workloads.channels._flow import Flow
from workloads.pruning._halving import halved


@dataclass(frozen=True)
class CropIterative(Flow):
    """Ranks channels as ``crop`` in rounds, each of which goes half of the way that is left."""

    steps: int = 5
    """Rounds that halve the way, after the first, which goes to half of the network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 0:
            raise ValueError(f"steps must not be negative, got {self.steps}")

    def rounds(self, sparsity: float) -> Sequence[float]:
        return halved(sparsity, self.steps)
