"""The correct classification rate at a false positive rate.

Dhamija, Gunther and Boult (2018): "Reducing Network Agnostophobia", arXiv 1811.04110.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from workloads.metrics._checks import ranked


def ccr(inside: Tensor, outside: Tensor, right: Tensor, false_positives: float) -> float:
    """The share of in-distribution images that are let through and classified rightly; higher is better.

    The threshold lets at most the share ``false_positives`` of the others (M,) through: 1e-4 of less than
    10,000 is none. ``inside`` (N,) and ``outside`` are scores, higher = more anomalous, and ``right`` (N,)
    says whose class is right, or of a batch of images with one score the share. An image that scores like a
    refused one is refused.

    Raises:
        ValueError: a score is NaN, one side is empty, sizes disagree, or the share is not in [0, 1].
    """
    if not 0 <= false_positives <= 1:
        raise ValueError(f"false_positives must be in [0, 1], got {false_positives}")
    if right.shape != inside.shape:
        raise ValueError(f"{len(inside)} in-distribution scores need as many answers, got {len(right)}")
    from_outside, ranks = ranked(inside, outside)
    # what floating point leaves of a whole number of images is that number
    passing = math.floor(false_positives * len(outside) + 1e-9)
    refused = np.sort(ranks[from_outside])[passing:]
    through = ranks[~from_outside] < refused[0] if len(refused) else np.ones(len(inside), dtype=bool)
    return float((through * right.double().cpu().numpy()).mean())
