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
