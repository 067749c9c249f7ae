"""What the nearest neighbours of a large set take: 50,000 training images, 10,000 asked ones, 512 features.

One thread. Run: ``python -m benchmarks.knn``. Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import torch

from workloads.detectors.base import Outputs
from workloads.detectors.knn import Knn
from workloads.randomness import stream

TRAIN, ASKED, WIDTH, CLASSES = 50_000, 10_000, 512, 10
#: Units of what the system says is the largest memory: bytes on a Mac, elsewhere KiB.
UNIT = 1 if sys.platform == "darwin" else 1024


def outputs(count: int, purpose: str) -> Outputs:
    """``count`` images with random features as after a ReLU."""
    features = torch.randn(count, WIDTH, generator=stream(0, purpose)).relu_()
    weight = torch.ones(CLASSES, WIDTH)
    return Outputs(
        features @ weight.T,
        features,
        torch.zeros(count, dtype=torch.int64),
        CLASSES,
        weight,
        torch.zeros(CLASSES),
    )


def peak() -> int:
    """The most bytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT


def main() -> None:
    """Measure, print."""
    torch.set_num_threads(1)
    train, asked = outputs(TRAIN, "train"), outputs(ASKED, "asked")
    before, start, busy = peak(), time.perf_counter(), time.process_time()
    scores = Knn().fit(train)(asked)
    seconds, processor = time.perf_counter() - start, time.process_time() - busy
    assert scores.shape == (ASKED,)
    found = {"seconds": seconds, "processor_seconds": processor}
    gib = {"before_gib": before / 2**30, "peak_gib": peak() / 2**30}
    print(json.dumps({name: round(value, 2) for name, value in (found | gib).items()}))


if __name__ == "__main__":
    main()
