"""What an attack's evaluation costs over its bare forward and backward passes, on one network and its images.

One thread, digits, PGD of 20 steps without suspicions; the labels are the network's own answers, so that no
image is skipped. The bare passes are 21 forward and backward passes and one forward pass.
Seconds of the processor, so that what else the machine does hardly counts; the two take turns.
Run: ``python -m benchmarks.attack_step``. Prints one line of JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workloads.architectures._modes import evaluated
from workloads.architectures.base import Architecture, Network
from workloads.architectures.lenet import Lenet
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.pgd import Pgd
from workloads.datasets._conversion import as_float
from workloads.datasets.base import Split
from workloads.datasets.digits import Digits
from workloads.training.evaluation import attacked

ROUNDS, STEPS, COUNT = 7, 20, 256


def bare(network: Network, images: Tensor, labels: Tensor) -> None:
    """The passes alone: one to look at the clean images, one a step, and one to judge."""
    with evaluated(network):
        for _ in range(STEPS + 1):
            seen = images.clone().requires_grad_()
            torch.autograd.grad(cross_entropy(network(seen), labels, reduction="sum"), seen)
        with torch.no_grad():
            network(images)


def seconds(work: Callable[[], Any]) -> float:
    """Seconds of the processor that ``work`` takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(architecture: Architecture) -> dict[str, float]:
    """Milliseconds of the bare passes, and the evaluation's time over theirs."""
    images = Digits().load("test", None).images[:COUNT]
    network = architecture.network((1, 8, 8), 10, 0).eval()
    with torch.no_grad():
        labels = network(as_float(images)).argmax(1)
    split, places, floats = Split(images, labels), torch.arange(COUNT), as_float(images)
    attack = Pgd(epsilon=0.01, steps=STEPS)

    def whole() -> None:
        attacked(network, attack, split, places, batch_size=COUNT, seed=0)

    def passes() -> None:
        bare(network, floats, labels)

    passes(), whole()
    times = [(seconds(passes), seconds(whole)) for _ in range(ROUNDS)]
    return {
        "bare_ms": round(1000 * statistics.median(each for each, _ in times), 1),
        "attack_over_bare": round(statistics.median(own / base for base, own in times), 3),
    }


def main() -> None:
    """Time both on two networks, and print milliseconds and ratios."""
    torch.set_num_threads(1)
    json.dump({"lenet": compare(Lenet()), "resnet8": compare(Resnet8())}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
