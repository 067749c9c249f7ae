"""What masks cost: the time of a static or RigL step over that of a dense one, on the same network.

One thread, digits, the whole training loop without its validation, a change of the topology every 100 steps.
Seconds of the processor, so that what else the machine does hardly counts; the three take turns.
Run: ``python -m benchmarks.masked_step``. Prints one line of JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from workloads.architectures.base import Architecture
from workloads.architectures.lenet import Lenet
from workloads.architectures.resnet8 import Resnet8
from workloads.datasets.digits import Digits
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.optimizers.sgd import Sgd
from workloads.schedules.constant import Constant
from workloads.sparse_training.base import Sparsify
from workloads.sparse_training.fixed import Fixed
from workloads.sparse_training.rigl import Rigl
from workloads.sparse_training.static import Static
from workloads.training.loop import Host, Recipe, train

#: 22 epochs are 198 steps: two changes of the topology.
ROUNDS, EPOCHS = 5, 22
SPARSIFY: dict[str, Sparsify] = {
    "dense": Fixed(),
    "static": Static(sparsity=0.9),
    "rigl": Rigl(sparsity=0.9, interval=100, end=1.0),
}


class Unhurried:
    """Never due, nothing saved."""

    def due(self) -> bool:
        """False."""
        return False

    def latest(self) -> None:
        """None."""

    def save(self, step: int, folder: Path) -> None:
        """Never called."""


class Stopwatch:
    """The seconds from each report to the next, but for those with a validation."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.before = time.process_time()

    def __call__(self, done: int, total: int, **metrics: float) -> None:
        """Note the step that ends here."""
        now = time.process_time()
        if not metrics:
            self.steps.append(now - self.before)
        self.before = now


def seconds(architecture: Architecture, sparsify: Sparsify, folder: Path) -> float:
    """Mean seconds of the steps of one training."""
    data, watch = Digits().learning(), Stopwatch()
    recipe = Recipe(EPOCHS, 128, 0, Sgd(), Constant(), CrossEntropy(), sparsify)
    network = architecture.network(data.shape, data.classes, 0)
    train(recipe, network, {}, data, Host("cpu", folder, Unhurried(), watch))
    return statistics.fmean(watch.steps)


def main() -> None:
    """Time all three on two networks, and print milliseconds and ratios."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, architecture in (("lenet", Lenet()), ("resnet8", Resnet8())):
            times: dict[str, list[float]] = {kind: [] for kind in SPARSIFY}
            for _ in range(ROUNDS):
                for kind, sparsify in SPARSIFY.items():
                    times[kind].append(seconds(architecture, sparsify, Path(folder)))
            ratios = {
                f"{kind}_over_dense": round(
                    statistics.median(a / b for a, b in zip(times[kind], times["dense"], strict=True)), 3
                )
                for kind in ("static", "rigl")
            }
            found[name] = {"dense_ms": round(1000 * statistics.median(times["dense"]), 2), **ratios}
    json.dump(found, sys.stdout)
    print()


if __name__ == "__main__":
    main()
