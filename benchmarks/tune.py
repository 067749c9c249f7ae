"""The same sweep through Ray Tune and through the pool, side by side.

Train 30 epochs on digits, prune by magnitude, fine-tune 5, classify; 3 seeds. ``small``: 8 sparsities of an
mlp; ``typical``: 30 sparsities of a lenet. Tune runs each trial as one function of the same stages, in a
fresh process or with `reuse_actors`; the pool runs the plan, whose trials share 3 dense trainings. Each way
has a process and a Ray of its own, and its clock runs from when that Ray is up until the accuracies are
there. The pool goes first, so that files which are not in memory yet cost it and not Tune.
Run: ``python -m benchmarks.tune [SIZE]...``. Prints a line of JSON for each size.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SWEEP = """
name: side-by-side
axes:
  sparsity: {sparsities}
  seed: {seeds}
methods:
  magnitude:
    dense:  {{stage: train, architecture: {architecture}, dataset: digits, seed: $seed, epochs: 30}}
    pruned: {{stage: prune, reads: {{model: dense}}, criterion: magnitude, sparsity: $sparsity}}
    model:  {{stage: train, reads: {{model: pruned}}, seed: $seed, epochs: 5}}
evaluate: {{clean: {{stage: classify, reads: {{model: model}}}}}}
"""
POOL, FRESH, REUSED = "sparsweep", "tune", "tune, reuse_actors"


@dataclass(frozen=True)
class Size:
    """A sweep, and the ways it is run."""

    architecture: str
    sparsities: tuple[float, ...]
    ways: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)

    @property
    def trials(self) -> int:
        """How many there are."""
        return len(self.sparsities) * len(self.seeds)

    @property
    def text(self) -> str:
        """The sweep file."""
        axes = {"sparsities": list(self.sparsities), "seeds": list(self.seeds)}
        return SWEEP.format(architecture=self.architecture, **axes)


SIZES = {
    "small": Size("mlp", (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98), (POOL, REUSED, FRESH)),
    # a fresh process for each of 90 trials takes many minutes, and says nothing new
    "typical": Size("lenet", tuple(round(0.4 + 0.02 * step, 2) for step in range(30)), (POOL, REUSED)),
}


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


def through_tune(size: Size, file: str, folder: str, *, reuse: bool) -> list[tuple[float, int, float]]:
    """Sparsity, seed and accuracy of every trial, with one Tune trial a cell."""
    from ray import tune

    def trainable(config: dict[str, Any]) -> None:
        tune.report(dict(chain(file, config["sparsity"], config["seed"])))

    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={
            "sparsity": tune.grid_search(list(size.sparsities)),
            "seed": tune.grid_search(list(size.seeds)),
        },
        tune_config=tune.TuneConfig(reuse_actors=reuse),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    )
    results = tuner.fit()
    return [(r.config["sparsity"], r.config["seed"], r.metrics["test.accuracy"]) for r in results]


def through_pool(file: str, folder: str) -> list[tuple[float, int, float]]:
    """Sparsity, seed and accuracy of every trial, with the plan on warm workers."""
    import orchestrator

    plan = orchestrator.load(file).plan()
    summary = orchestrator.run(plan, store=folder, engine="ray")
    assert summary.done == len(plan)
    frame = orchestrator.results(plan, folder)
    rows = frame[(frame["node"] == "clean") & (frame["metric"] == "test.accuracy")]
    return [(row["sparsity"], row["seed"], row["value"]) for _, row in rows.iterrows()]


def run(size: Size, way: str) -> None:
    """Run one size in one way, and print its seconds and accuracies as JSON."""
    import ray

    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "sweep.yaml")
        Path(file).write_text(size.text)
        ray.init(address="local", include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
        began = time.perf_counter()
        if way == POOL:
            found = through_pool(file, f"{folder}/store")
        else:
            found = through_tune(size, file, f"{folder}/tune", reuse=way == REUSED)
        seconds = time.perf_counter() - began
        ray.shutdown()
    assert len(found) == size.trials
    print(json.dumps({"seconds": seconds, "accuracies": sorted(found)}))


def compare(name: str) -> dict[str, Any]:
    """Run a size in all its ways, and say how they compare."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "RAY_AIR_NEW_OUTPUT": "0",
    }
    found = {}
    for way in SIZES[name].ways:
        command = [sys.executable, "-m", "benchmarks.tune", name, "--way", way]
        said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        found[way] = json.loads(said.splitlines()[-1])
    seconds = {way: each["seconds"] for way, each in found.items()}
    return {
        "size": name,
        "trials": SIZES[name].trials,
        "cpus": os.cpu_count(),
        "seconds": {way: round(value, 1) for way, value in seconds.items()},
        "ratio to sparsweep": {way: round(value / seconds[POOL], 1) for way, value in seconds.items()},
        "same accuracies": len({json.dumps(each["accuracies"]) for each in found.values()}) == 1,
    }


def main() -> None:
    """Compare the sizes that are asked for, by default all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", metavar="SIZE", help=f"of {', '.join(SIZES)}; by default all")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in options.sizes or SIZES:
        if options.way:
            run(SIZES[name], options.way)
        else:
            print(json.dumps(compare(name)), flush=True)


if __name__ == "__main__":
    main()
