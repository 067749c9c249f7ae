"""Takes its worker with it, the first ``times``; or stands still, after it said how far it was."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

from engine_stages.base import leave, left
from orchestrator.stage import Stage, Workspace


@dataclass(frozen=True)
class Die(Stage):
    folder: str
    times: int = 1000
    stand_still: bool = False
    silent: bool = False
    number: int = 0

    def run(self, space: Workspace) -> Mapping[str, float]:
        before = len([event for event in left(self.folder, "tried") if event["number"] == self.number])
        leave(self.folder, "tried", number=self.number)
        if before >= self.times:
            return {"tries": before + 1}
        if not self.silent:
            space.progress(1, 10)
        if not self.stand_still:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(3.0 if self.silent else 600.0)
        return {"tries": before + 1}
