"""The negative log-likelihood."""

from __future__ import annotations

from torch import Tensor

from workloads.metrics._checks import check_answers


def nll(log_probabilities: Tensor, labels: Tensor) -> float:
    """The mean over images of -log p(label), in nats: 0 is perfect, log(K) is a guess.

    Raises:
        ValueError: there are no images, a belief is NaN, or a label is none of the K classes.
    """
    check_answers(log_probabilities, labels)
    return float(-log_probabilities.double().gather(1, labels[:, None]).mean())
