"""A short stage between two long ones."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from failures.stages.base import begin, note, pace, trouble
from orchestrator.stage import Role, Stage, Workspace


@dataclass(frozen=True)
class Trim(Stage):
    roles = {"model": Role.ONE}  # noqa: RUF012 - as stages write it
    level: int

    def run(self, space: Workspace) -> Mapping[str, float]:
        begin(space, 0)
        state = (space.inputs["model"] / "state").read_bytes()  # type: ignore[operator]
        time.sleep(pace())
        trouble(space)
        (space.output / "state").write_bytes(hashlib.sha256(state + bytes([self.level])).digest())
        note(space, "ended")
        return {"level": self.level}
