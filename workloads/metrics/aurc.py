"""The area under the risk-coverage curve: how well confidence tells right answers from wrong ones.

Geifman, Uziel and El-Yaniv (2018): "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers",
arXiv 1805.08206.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workloads.metrics._checks import check_answers


def aurc(log_probabilities: Tensor, labels: Tensor) -> float:
    """The mean, over n = 1 ... N, of the error in [0, 1] among the n images of largest confidence.

    Confidence is the largest of the K probabilities. Images of equal confidence come in any order: this is
    the mean over all of them, so the order of images does not matter. Lower is better; an inaccurate network
    cannot have a low one.

    Raises:
        ValueError: there are no images, a belief is NaN, or a label is none of the K classes.
    """
    confidence, wrong = _errors(log_probabilities, labels)
    _, group, sizes = torch.unique(-confidence, return_inverse=True, return_counts=True)
    errors = torch.zeros(len(sizes), dtype=torch.float64, device=wrong.device).index_add_(0, group, wrong)
    return _area(torch.repeat_interleave(errors / sizes, sizes))


def excess_aurc(log_probabilities: Tensor, labels: Tensor) -> float:
    """What `aurc` is above that of the best order, where all wrong answers come last.

    0 is a confidence that tells right from wrong; so networks of different accuracy compare.

    Raises:
        ValueError: there are no images, a belief is NaN, or a label is none of the K classes.
    """
    _, wrong = _errors(log_probabilities, labels)
    return aurc(log_probabilities, labels) - _area(wrong.sort().values)


def _errors(log_probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The logarithm of the confidence (N,), which tells sure answers apart, and 1 (N,) for wrong answers."""
    check_answers(log_probabilities, labels)
    largest, likeliest = log_probabilities.double().max(1)
    return largest, (likeliest != labels).double()


def _area(wrong: Tensor) -> float:
    """The mean over n of the mean of the first n."""
    counts = torch.arange(1, len(wrong) + 1, device=wrong.device)
    return float((wrong.cumsum(0) / counts).mean())
