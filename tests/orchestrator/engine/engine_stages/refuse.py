"""Cannot be built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.stage import Stage, Workspace


@dataclass(frozen=True)
class Refuse(Stage):
    sparsity: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.sparsity < 1:
            raise ValueError(f"sparsity must be in [0, 1), got {self.sparsity}")

    def run(self, space: Workspace) -> Mapping[str, float]:
        return {}
