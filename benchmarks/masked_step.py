"""What masks cost: the time of a static or RigL step over that of a dense one, on the same network.

One thread, digits, the whole training loop without its validation. The machine may be busy: the three take
turns, and a step takes the lower quartile of the processor's seconds for its kind. RigL changes the topology
at every tenth step here, to be timed, and counts as if at every hundredth, its default.
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
from workloads.training.host import Host
from workloads.training.loop import train
from workloads.training.recipe import Recipe

ROUNDS, EPOCHS = 5, 12
#: Steps from one change of the topology to the next: as timed, and as it counts.
TIMED, COUNTED = 10, 100
SPARSIFY: dict[str, Sparsify] = {
    "dense": Fixed(),
    "static": Static(sparsity=0.9),
    "rigl": Rigl(sparsity=0.9, interval=TIMED, end=1.0),
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
    """The seconds of the steps that change the topology and of the others, less those with a validation."""

    def __init__(self) -> None:
        self.changes: list[float] = []
        self.others: list[float] = []
        self.before = time.process_time()

    def __call__(self, done: int, total: int, **metrics: float) -> None:
        """Note the step that ends here."""
        now = time.process_time()
        if not metrics:
            (self.others if (done - 1) % TIMED else self.changes).append(now - self.before)
        self.before = time.process_time()

    def seconds(self) -> float:
        """What a step takes."""
        change, other = (statistics.quantiles(times)[0] for times in (self.changes, self.others))
        return (change + (COUNTED - 1) * other) / COUNTED


def run(architecture: Architecture, sparsify: Sparsify, folder: Path, watch: Stopwatch) -> None:
    """Train once under ``watch``."""
    data = Digits().learning()
    recipe = Recipe(EPOCHS, 128, 0, Sgd(), Constant(), CrossEntropy(), sparsify)
    network = architecture.network(data.shape, data.classes, 0)
    watch.before = time.process_time()
    train(recipe, network, {}, data, Host("cpu", folder, Unhurried(), watch))


def main() -> None:
    """Time all three on two networks, and print milliseconds and ratios."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, architecture in (("lenet", Lenet()), ("resnet8", Resnet8())):
            watches = {kind: Stopwatch() for kind in SPARSIFY}
            for _ in range(ROUNDS):
                for kind, sparsify in SPARSIFY.items():
                    run(architecture, sparsify, Path(folder), watches[kind])
            dense = watches["dense"].seconds()
            found[name] = {"dense_ms": round(1000 * dense, 2)} | {
                f"{kind}_over_dense": round(watches[kind].seconds() / dense, 3) for kind in ("static", "rigl")
            }
    json.dump(found, sys.stdout)
    print()


if __name__ == "__main__":
    main()
