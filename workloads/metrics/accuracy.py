"""The share of right answers."""

from __future__ import annotations

from torch import Tensor

from workloads.metrics._checks import check_answers


def accuracy(log_probabilities: Tensor, labels: Tensor) -> float:
    """The share in [0, 1] of images whose likeliest known class (N, K) is their label (N,).

    Raises:
        ValueError: there are no images, a belief is NaN, or a label is none of the K classes.
    """
    check_answers(log_probabilities, labels)
    return float((log_probabilities.argmax(1) == labels).double().mean())
