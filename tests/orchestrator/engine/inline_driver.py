"""A driver as a process of its own, beside others on the same store: ``inline_driver.py STORE FOLDER``.

It waits for the file ``go`` in the folder.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from small_plans import Heard, SmallPlan

from orchestrator.engine.inline import Inline
from orchestrator.storage import open_store

STAGES = 40


def plan_of(folder):
    """Four stages that nine others each read; each takes a tenth of a second."""
    plan = SmallPlan()
    roots = [plan.add("sleep", seconds=0.1, folder=folder, number=number) for number in range(4)]
    for number in range(4, STAGES):
        reads = {"after": roots[number % 4]}
        plan.add("sleep", seconds=0.1, folder=folder, number=number, reads=reads)
    return plan


if __name__ == "__main__":
    store, folder = sys.argv[1:]
    (Path(folder) / f"ready-{time.monotonic_ns()}").touch()
    while not (Path(folder) / "go").exists():
        time.sleep(0.01)
    heard = Heard()
    summary = Inline(beat_seconds=0.5).drain(plan_of(folder), open_store(store), heard)
    print(summary.done, len(summary.failed), sum(event.get("elsewhere", False) for event in heard.events))
