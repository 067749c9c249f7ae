"""The area under the precision-recall curve."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from workloads.metrics._checks import ranked


def aupr(inside: Tensor, outside: Tensor, positive: Literal["inside", "outside"] = "inside") -> float:
    """The average precision of finding the ``positive`` side by anomaly scores, higher = more anomalous.

    ``inside`` (N,) is known as AUPR-In, ``outside`` (M,) as AUPR-Out. A guess scores the share of the
    positive side, so numbers compare only between sets of equal sizes. Not the trapezoid area.

    Raises:
        ValueError: a score is NaN, or one side is empty.
    """
    from sklearn.metrics import average_precision_score

    from_outside, ranks = ranked(inside, outside)
    if positive == "inside":
        return float(average_precision_score(~from_outside, -ranks))
    return float(average_precision_score(from_outside, ranks))
