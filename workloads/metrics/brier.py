"""The Brier score.

Brier (1950): "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78(1).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from workloads.metrics._checks import check_answers


def brier(log_probabilities: Tensor, labels: Tensor) -> float:
    """The mean squared distance, 0 to 2, between the K probabilities and the label's; lower is better.

    It is the sum over classes, as Brier defined it, not half of it. Probability given to unknown outputs is
    missing from the label's share and adds no term of its own.

    Raises:
        ValueError: there are no images, a belief is NaN, or a label is none of the K classes.
    """
    check_answers(log_probabilities, labels)
    right = functional.one_hot(labels, log_probabilities.shape[1])
    return float((log_probabilities.double().exp() - right).square().sum(1).mean())
