"""What a step of adversarial training costs over a clean one, beside the number of its passes.

One thread, batches of 128 digits, two networks, the training loop as it is. An attack of S steps and the step
that is learned from are S + 1 forward and backward passes; `over_passes` is the adversarial step's time over
S + 1 clean steps, and should stay below 1.1. Free training replays batches: its step is one pass.
Seconds of the processor, so that what else the machine does hardly counts; the trainings take turns.
Run: ``python -m benchmarks.adversarial_step``. Prints one line of JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from workloads.architectures.base import Architecture
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.pgd import Pgd
from workloads.datasets.base import LearningData
from workloads.datasets.digits import Digits
from workloads.objectives.adversarial import Adversarial
from workloads.objectives.base import Objective
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.objectives.fast import Fast
from workloads.objectives.free import Free
from workloads.objectives.mart import Mart
from workloads.objectives.trades import Trades
from workloads.optimizers.sgd import Sgd
from workloads.schedules.constant import Constant
from workloads.sparse_training.fixed import Fixed
from workloads.training.host import Host
from workloads.training.loop import train
from workloads.training.recipe import Recipe

ROUNDS, ATTACK_STEPS = 5, 5
#: Objectives with the forward and backward passes of their steps; trades and mart learn from two images each.
OBJECTIVES: Mapping[str, tuple[Objective, int]] = {
    "adversarial": (Adversarial(Pgd(steps=ATTACK_STEPS)), ATTACK_STEPS + 1),
    "fast": (Fast(), 2),
    "free": (Free(replays=1), 1),
    "trades": (Trades(steps=ATTACK_STEPS), ATTACK_STEPS + 2),
    "mart": (Mart(Pgd(steps=ATTACK_STEPS)), ATTACK_STEPS + 2),
}


class Nowhere:
    """A checkpoint that is never due."""

    def due(self) -> bool:
        return False

    def latest(self) -> tuple[int, Path] | None:
        return None

    def save(self, step: int, folder: Path) -> None:
        raise NotImplementedError


def seconds(objective: Objective, architecture: Architecture, data: LearningData) -> float:
    """Seconds of the processor for one epoch, without what comes before the first step and after the last."""
    marks = []
    recipe = Recipe(1, 128, 0, Sgd(), Constant(), objective, Fixed())
    network = architecture.network(data.shape, data.classes, 0)
    with tempfile.TemporaryDirectory() as folder:
        host = Host("cpu", Path(folder), Nowhere(), lambda *_, **__: marks.append(time.process_time()))
        train(recipe, network, {}, data, host)
    return marks[-1] - marks[0]


def compare(architecture: Architecture, data: LearningData) -> dict[str, float]:
    """Milliseconds of a clean epoch, and each other one's time over that of as many clean passes."""
    for objective, _ in OBJECTIVES.values():
        seconds(objective, architecture, data)
    clean, times = [], {name: [] for name in OBJECTIVES}
    for _ in range(ROUNDS):
        clean.append(seconds(CrossEntropy(), architecture, data))
        for name, (objective, passes) in OBJECTIVES.items():
            times[name].append(seconds(objective, architecture, data) / passes / clean[-1])
    return {"clean_ms": round(1000 * statistics.median(clean), 1)} | {
        f"{name}_over_passes": round(statistics.median(ratios), 3) for name, ratios in times.items()
    }


def main() -> None:
    """Time them on two networks, and print milliseconds and ratios."""
    torch.set_num_threads(1)
    data = Digits().learning()
    json.dump({"mlp": compare(Mlp(), data), "resnet8": compare(Resnet8(), data)}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
