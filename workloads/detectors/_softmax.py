"""Probabilities of sure networks, without the ties of a softmax that rounds to one."""

from __future__ import annotations

import torch
from torch import Tensor


def log_softmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The logarithms (N, C) of the probabilities p and of 1 - p, both exact where p is almost one.

    With one class alone, 1 - p is zero and its logarithm minus infinity.
    """
    largest, place = logits.double().max(1, keepdim=True)
    relative = logits.double() - largest
    others = relative.scatter(1, place, -torch.inf).logsumexp(1, keepdim=True)
    total = others.exp().log1p()
    taken = relative - total
    # only the largest can be near one, where log(1 - p) would round
    left = (-taken.exp()).log1p().scatter(1, place, others - total)
    return taken, left


def doubt(logits: Tensor, classes: int) -> Tensor:
    """log((1 - p) / p) (N,), where p is the probability of the likeliest of the first ``classes``.

    The softmax is over all outputs. It ranks as -p does, but has no ties where p rounds to 1.
    """
    found = logits.double()
    likeliest, place = found[:, :classes].max(1)
    others = found.scatter(1, place[:, None], -torch.inf)
    return others.logsumexp(1) - likeliest
