"""Adds an amount to what it reads; fails as long as a file exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.stage import Role, Stage, Workspace


@dataclass(frozen=True)
class Grow(Stage):
    roles = {"model": Role.OPTIONAL}  # noqa: RUF012 - as stages write it
    amount: float
    seed: int = 0
    warning: str = ""
    fails_while: str = ""

    def run(self, space: Workspace) -> Mapping[str, float]:
        if self.fails_while and Path(self.fails_while).exists():
            raise RuntimeError(f"{self.fails_while} is in the way")
        found = space.inputs.get("model")
        before = float((found / "value").read_text()) if isinstance(found, Path) else 0.0
        value = before * self.amount if before else self.amount - self.seed / 100
        (space.output / "value").write_text(repr(value))
        if self.warning:
            space.warnings.append(self.warning)
        space.progress(1, 1, value=value)
        return {"validation.loss": 1 - value}
