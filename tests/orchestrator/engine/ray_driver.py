"""A driver as a process of its own, for tests that interrupt or kill it: ``ray_driver.py STORE FOLDER``."""

from __future__ import annotations

import sys

from small_plans import Heard, SmallPlan

from orchestrator.engine.ray_pool import RayPool
from orchestrator.storage import open_store


def plan_of(folder):
    plan = SmallPlan()
    plan.add("count", steps=80, seconds=0.05, folder=folder)
    for number in range(1, 4):
        plan.add("add", number=number, reads={"first": 0}, folder=folder)
    return plan


if __name__ == "__main__":
    store, folder = sys.argv[1:]
    summary = RayPool(cpus=1, checkpoint_seconds=0.5).drain(plan_of(folder), open_store(store), Heard())
    print(summary.done, summary.interrupted)
    sys.exit(130 if summary.interrupted else 0)
