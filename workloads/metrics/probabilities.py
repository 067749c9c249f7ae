"""What a network believes about the known classes, in the one form that the metrics read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def log_probabilities(logits: Tensor, classes: int) -> Tensor:
    """The first ``classes`` entries (N, K) of the log-softmax over all outputs, as float64.

    Unknown outputs take their share of the probability: with them the K probabilities sum to less than 1.

    Raises:
        ValueError: a logit is NaN, or there are fewer than ``classes``.
    """
    if logits.shape[1] < classes:
        raise ValueError(f"{classes} classes need as many logits, got {logits.shape[1]}")
    if logits.isnan().any():
        raise ValueError(f"logits must be numbers, got NaN in {int(logits.isnan().any(1).sum())} rows")
    return logits.double().log_softmax(1)[:, :classes]


def mean_log_probabilities(members: Sequence[Tensor]) -> Tensor:
    """The logarithm (N, K) of the mean of the members' probabilities, from their logarithms.

    Raises:
        ValueError: there are no members.
    """
    if not members:
        raise ValueError("a mean needs at least one member, got none")
    return torch.stack(list(members)).logsumexp(0) - math.log(len(members))
