"""The false positive rate at a true positive rate of 95 %."""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import Tensor

from workloads.metrics._checks import ranked


def fpr95(inside: Tensor, outside: Tensor, positive: Literal["inside", "outside"] = "inside") -> float:
    """The share of negatives that pass when at least 95 % of the ``positive`` side do; lower is better.

    Two conventions are in use and differ widely. ``inside`` (the ODIN, Energy and MOON papers): the threshold
    lets 95 % of the in-distribution images (N,) through, and the rate is the share of the others (M,) that
    slip in. ``outside`` (pytorch-ood, today's OpenOOD): it catches 95 % of the others, and the rate is the
    share of in-distribution images caught with them. Scores are higher for more anomalous images.

    Raises:
        ValueError: a score is NaN, or one side is empty.
    """
    from_outside, ranks = ranked(inside, outside)
    if positive == "outside":
        from_outside, ranks = ~from_outside, -ranks
    accepted = np.sort(ranks[~from_outside])
    threshold = accepted[-(-95 * len(accepted) // 100) - 1]
    return float((ranks[from_outside] <= threshold).mean())
