"""Counts slowly, saves where it is, and leaves a line per step."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from engine_stages.base import leave
from orchestrator.stage import Stage, Workspace


@dataclass(frozen=True)
class Count(Stage):
    steps: int
    seconds: float
    folder: str
    number: int = 0

    def run(self, space: Workspace) -> Mapping[str, float]:
        found = space.checkpoint.latest()
        step = int((found[1] / "step").read_text()) if found else 0
        leave(self.folder, "began", number=self.number, step=step)
        while step < self.steps:
            time.sleep(self.seconds)
            step += 1
            leave(self.folder, "step", number=self.number, step=step)
            if space.checkpoint.due():
                state = space.scratch / f"state-{step}"
                state.mkdir()
                (state / "step").write_text(str(step))
                space.checkpoint.save(step, state)
            space.progress(step, self.steps, square=step * step)
        (space.output / "value").write_text(str(step))
        return {"count": step}
