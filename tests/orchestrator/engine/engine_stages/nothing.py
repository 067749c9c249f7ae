"""Does nothing: what is left is what the engine costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.stage import Stage, Workspace


@dataclass(frozen=True)
class Nothing(Stage):
    number: int = 0

    def run(self, space: Workspace) -> Mapping[str, float]:
        return {"number": self.number}
