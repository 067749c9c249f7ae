"""What it reads, times a scale, as an accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.stage import Role, Stage, Workspace


@dataclass(frozen=True)
class Judge(Stage):
    roles = {"model": Role.ONE}  # noqa: RUF012 - as stages write it
    scale: float = 1.0

    def run(self, space: Workspace) -> Mapping[str, float]:
        value = float((space.inputs["model"] / "value").read_text())  # type: ignore[operator]
        return {"test.accuracy": value * self.scale, "test.loss": 1 - value}
