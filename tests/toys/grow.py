"""An amount of what it reads, or of nothing; may take its time, and fails as long as a file exists."""

from __future__ import annotations

import time
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
    waits_while: str = ""

    def run(self, space: Workspace) -> Mapping[str, float]:
        if self.fails_while and Path(self.fails_while).exists():
            raise RuntimeError(f"{self.fails_while} is in the way")
        step = 0
        while self.waits_while and Path(self.waits_while).exists():
            time.sleep(0.05)
            step += 1
            space.progress(step, 1000, loss=1 / step)
        found = space.inputs.get("model")
        before = float((found / "value").read_text()) if isinstance(found, Path) else 0.0
        value = before * self.amount if before else self.amount - self.seed / 100
        (space.output / "value").write_text(repr(value))
        if self.warning:
            space.warnings.append(self.warning)
        space.progress(1, 1, value=value)
        return {"validation.loss": 1 - value}
