"""Time and memory to plan 100,000 trials, reading and validating the file included.

Run: ``python -m benchmarks.planning``. Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

SWEEP = """
name: large
axes:
  architecture: [mlp, resnet8]
  dataset: [digits]
  criterion: [magnitude, random]
  sparsity: [0.5, 0.6, 0.7, 0.8, 0.9]
  seed: [{seeds}]
methods:
  pruned:
    dense:  {{stage: train, epochs: 30}}
    cut:    {{stage: prune, reads: {{model: dense}}, criterion: $criterion, sparsity: $sparsity}}
    model:  {{stage: train, reads: {{model: cut}}, epochs: 5}}
evaluate:
  clean:  {{stage: classify, reads: {{model: model}}}}
defaults:
  train: {{architecture: $architecture, dataset: $dataset, seed: $seed}}
"""


def main() -> None:
    """Plan, and print seconds, peak memory and counts."""
    seeds = 100_000 // 20
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.yaml"
        path.write_text(SWEEP.format(seeds=", ".join(map(str, range(seeds)))))
        import workloads.stages.train  # noqa: F401 - the import of torch is not planning
        from orchestrator.spec import load

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        plan = load(path).plan()
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    json.dump(
        {
            "trials": len(plan.trials),
            "unique": len(plan),
            "seconds": round(seconds, 2),
            "added_mib": round((peak - before) / 1024),
            "peak_mib": round(peak / 1024),
        },
        sys.stdout,
    )
    print()


if __name__ == "__main__":
    main()
