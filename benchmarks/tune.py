"""The same sweep through Ray Tune and through the pool, side by side, in one run.

24 trials on digits: 3 seeds x 8 sparsities; train 30 epochs, prune by magnitude, fine-tune 5, classify. Tune
runs each trial as one function of the same stages, once with fresh processes and once with `reuse_actors`;
the pool runs the plan, where the 24 trials share 3 dense trainings. Run: ``python -m benchmarks.tune``.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SWEEP = """
name: side-by-side
axes:
  sparsity: [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98]
  seed: [0, 1, 2]
methods:
  magnitude:
    dense:  {stage: train, architecture: mlp, dataset: digits, seed: $seed, epochs: 30}
    pruned: {stage: prune, reads: {model: dense}, criterion: magnitude, sparsity: $sparsity}
    model:  {stage: train, reads: {model: pruned}, seed: $seed, epochs: 5}
evaluate: {clean: {stage: classify, reads: {model: model}}}
"""


class Unhurried:
    """Never due, nothing saved: the stages are short."""

    def due(self) -> bool:
        """False."""
        return False

    def latest(self) -> None:
        """None."""

    def save(self, step: int, folder: Path) -> None:
        """Drop it."""


def chain(file: str, sparsity: float, seed: int) -> Mapping[str, float]:
    """One trial as one function: every stage of its chain, one after another, in a scratch folder."""
    from orchestrator.build import build_class, find
    from orchestrator.spec import load
    from orchestrator.stage import Workspace

    plan = load(file).plan({"sparsity": sparsity, "seed": seed})
    metrics: Mapping[str, float] = {}
    with tempfile.TemporaryDirectory() as root:
        for stage in range(len(plan)):
            job = plan.job(stage)
            place = Path(root) / job.address
            space = Workspace(
                inputs={role: Path(root) / str(address) / "out" for role, address in job.inputs.items()},
                output=place / "out",
                scratch=place / "scratch",
                checkpoint=Unhurried(),
                progress=lambda done, total, **metrics: None,
            )
            space.output.mkdir(parents=True)
            space.scratch.mkdir()
            metrics = build_class(find(job.package, job.stage), job.fields).run(space)
    return metrics


def through_tune(file: str, folder: str, *, reuse: bool) -> Mapping[tuple[float, int], float]:
    """Accuracy by trial, with one Tune trial a cell."""
    from ray import tune

    def trainable(config: dict[str, Any]) -> None:
        tune.report(dict(chain(file, config["sparsity"], config["seed"])))

    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={
            "sparsity": tune.grid_search([0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98]),
            "seed": tune.grid_search([0, 1, 2]),
        },
        tune_config=tune.TuneConfig(reuse_actors=reuse),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    )
    results = tuner.fit()
    return {(r.config["sparsity"], r.config["seed"]): r.metrics["test.accuracy"] for r in results}


def through_pool(file: str, folder: str) -> Mapping[tuple[float, int], float]:
    """Accuracy by trial, with the plan on warm workers."""
    import orchestrator

    plan = orchestrator.load(file).plan()
    summary = orchestrator.run(plan, store=folder, engine="ray")
    assert summary.done == len(plan)
    frame = orchestrator.results(plan, folder)
    rows = frame[(frame["node"] == "clean") & (frame["metric"] == "test.accuracy")]
    return {(row["sparsity"], row["seed"]): row["value"] for _, row in rows.iterrows()}


def main() -> None:
    """Run all three and print one line of JSON."""
    os.environ |= {
        "OMP_NUM_THREADS": "1",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "RAY_AIR_NEW_OUTPUT": "0",
    }
    import ray

    results, seconds = {}, {}
    with tempfile.TemporaryDirectory() as root:
        file = str(Path(root) / "sweep.yaml")
        Path(file).write_text(SWEEP)
        ray.init(address="local", include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
        ways: dict[str, Callable[[], Mapping[tuple[float, int], float]]] = {
            "tune": lambda: through_tune(file, f"{root}/tune", reuse=False),
            "tune, reuse_actors": lambda: through_tune(file, f"{root}/reuse", reuse=True),
            "sparsweep": lambda: through_pool(file, f"{root}/store"),
        }
        for name, way in ways.items():
            began = time.perf_counter()
            results[name] = way()
            seconds[name] = time.perf_counter() - began
        ray.shutdown()
    assert len(results["tune"]) == 24
    print(
        json.dumps(
            {
                "seconds": {name: round(value, 1) for name, value in seconds.items()},
                "ratio to sparsweep": {n: round(v / seconds["sparsweep"], 1) for n, v in seconds.items()},
                "same accuracies": len({json.dumps(sorted(r.items())) for r in results.values()}) == 1,
            }
        )
    )


if __name__ == "__main__":
    main()
