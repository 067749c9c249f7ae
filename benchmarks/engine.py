"""What the engine costs: 1,000 stages that do nothing, through a warm pool, with journal and local store.

Run: ``python -m benchmarks.engine [--stages N] [--workers N] [--inline]``.
The pool is warm: the time begins with the first stage that starts and ends when all are in the store.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGES = ROOT / "tests" / "orchestrator" / "engine"


def main() -> None:
    """Print the rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--inline", action="store_true", help="in this process, without Ray")
    options = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(STAGES)]
    os.environ["PYTHONPATH"] = os.pathsep.join([*sys.path[:2], os.environ.get("PYTHONPATH", "")])
    from small_plans import SmallPlan

    from orchestrator.engine.inline import Inline
    from orchestrator.engine.ray_pool import RayPool
    from orchestrator.journal import Journal, new_run_id
    from orchestrator.storage import open_store

    plan = SmallPlan()
    for number in range(options.stages):
        plan.add("nothing", number=number)
    engine = Inline() if options.inline else RayPool(workers=options.workers)
    times: list[float] = []

    def hear(event: dict) -> None:
        if event["kind"] in ("started", "finished"):
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "store")
        began = time.perf_counter()
        with Journal(store, "benchmark", new_run_id()) as journal:
            summary = engine.drain(plan, store, journal, listener=hear)
        whole = time.perf_counter() - began
        assert summary.done == len(store.done()) == options.stages
    seconds = times[-1] - times[0]
    print(f"{options.stages} stages in {seconds:.2f} s: {options.stages / seconds:,.0f} stages/s")
    print(f"with the start and end of Ray and of {options.workers} workers {whole:.2f} s")


if __name__ == "__main__":
    main()
