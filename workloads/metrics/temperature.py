"""Temperature scaling: one number that makes a network as sure as it should be, and changes no answer.

Guo, Pleiss, Sun and Weinberger (2017): "On Calibration of Modern Neural Networks", arXiv 1706.04599.
"""

from __future__ import annotations

import math

from torch import Tensor

from workloads.metrics._checks import check_answers

#: The temperatures among which the best is looked for.
LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The T in [LOWEST, HIGHEST] for which ``logits`` (N, K) / T give ``labels`` (N,) the best likelihood.

    Above 1 the network is too sure, below 1 not sure enough. The negative log-likelihood is convex in 1 / T,
    so there is one best T: where its slope is zero, in float64. Where every answer is right it falls towards
    T = 0, and LOWEST comes back; where answers are no better than a guess, HIGHEST; where all logits of each
    image are equal no T matters, and 1 does.

    Raises:
        ValueError: there are no images, a logit is not finite, or a label is none of the K classes.
    """
    from scipy.optimize import brentq

    check_answers(logits, labels)
    if not logits.isfinite().all():
        raise ValueError("logits must be finite numbers, got an infinite one")
    # probabilities are blind to a shift; without one, large logits would round
    relative = logits.double() - logits.double().amax(1, keepdim=True)
    if not relative.any():
        return 1.0
    of_labels = relative.gather(1, labels[:, None]).mean()

    def slope(log_temperature: float) -> float:
        """The derivative of the negative log-likelihood by 1 / T; falling in T."""
        likely = (relative / math.exp(log_temperature)).softmax(1)
        return float((likely * relative).sum(1).mean() - of_labels)

    low, high = math.log(LOWEST), math.log(HIGHEST)
    if slope(low) <= 0:
        return LOWEST
    if slope(high) >= 0:
        return HIGHEST
    return math.exp(brentq(slope, low, high, xtol=1e-10))
