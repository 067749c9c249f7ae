"""Adds its number to those it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.stage import Role, Stage, Workspace


@dataclass(frozen=True)
class Add(Stage):
    roles = {"terms": Role.OPTIONAL_LIST, "first": Role.OPTIONAL}  # noqa: RUF012 - as stages write it
    parts = ("half",)
    number: float = 0.0
    folder: str = ""

    def run(self, space: Workspace) -> Mapping[str, float]:
        terms = [
            *space.inputs.get("terms", []),
            *([space.inputs["first"]] if "first" in space.inputs else []),
        ]
        total = self.number + sum(float(Path(term, "value").read_text()) for term in terms)
        (space.output / "value").write_text(str(total))
        (space.output / "half").mkdir()
        (space.output / "half" / "value").write_text(str(total / 2))
        if self.folder:
            from engine_stages.base import leave

            leave(self.folder, "added", number=self.number)
        return {"total": total}
