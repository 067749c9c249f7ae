"""A long stage: a chain of hashes, one a step, with checkpoints. Every bit depends on every step."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from failures.stages.base import begin, clock, note, pace, trouble
from orchestrator.stage import Role, Stage, Workspace


@dataclass(frozen=True)
class Climb(Stage):
    roles = {"model": Role.OPTIONAL}  # noqa: RUF012 - as stages write it
    steps: int
    seed: int = 0

    def run(self, space: Workspace) -> Mapping[str, float]:
        looked = clock()
        found = space.checkpoint.latest()
        step, state = (found[0], (found[1] / "state").read_bytes()) if found else (0, self._start(space))
        begin(space, step, looked=looked)
        seconds = pace()
        while step < self.steps:
            time.sleep(seconds)
            state = hashlib.sha256(state).digest()
            step += 1
            note(space, "step", step=step)
            if step == self.steps // 2:
                trouble(space)
            if space.checkpoint.due():
                folder = space.scratch / f"state-{step}"
                folder.mkdir()
                (folder / "state").write_bytes(state)
                (folder / "weights").write_bytes(state * 1000)
                space.checkpoint.save(step, folder)
                note(space, "saved", step=step)
            space.progress(step, self.steps)
        # as results do that another kind of machine computes: the same within noise, not to the bit
        (space.output / "noise").write_text(os.environ.get("HARDWARE", ""))
        (space.output / "state").write_bytes(state)
        (space.output / "weights").write_bytes(state * 1000)
        note(space, "ended")
        return {"height": int.from_bytes(state[:6]) / 2**48}

    def _start(self, space: Workspace) -> bytes:
        below = space.inputs.get("model")
        return str(self.seed).encode() + ((below / "state").read_bytes() if isinstance(below, Path) else b"")
