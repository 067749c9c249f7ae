"""Sleeps, and says when and where."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from engine_stages.base import leave
from orchestrator.stage import Stage, Workspace


@dataclass(frozen=True)
class Sleep(Stage):
    seconds: float
    folder: str
    number: int = 0

    def run(self, space: Workspace) -> Mapping[str, float]:
        threads = os.environ.get("OMP_NUM_THREADS", "")
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        leave(self.folder, "began", number=self.number, threads=threads, gpus=gpus, device=space.device)
        time.sleep(self.seconds)
        leave(self.folder, "ended", number=self.number)
        return {"cpus": space.cpus}
