"""How far the logits are from another answer, whatever their scale."""

from __future__ import annotations

import torch
from torch import Tensor

#: Keeps a ratio of logits finite where all of them are equal.
LEVEL = 1e-12
#: Outputs that a ratio looks at, and those that its targeted form looks at.
RATIO, TARGETED_RATIO = 3, 4
#: Targets tried where a sweep does not say how many: those of the standard AutoAttack.
TARGETS = 9


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The logit (N,) of the label less the largest other one: 0 or less when the answer is wrong."""
    right = _right(logits, labels)
    return logits.masked_fill(~right, 0).sum(1) - logits.masked_fill(right, -torch.inf).amax(1)


def ratio(logits: Tensor, labels: Tensor) -> Tensor:
    """The difference of logits ratio (N,), which no scaling of the logits changes; above 0 it is fooled.

    Raises:
        ValueError: it needs three outputs.
    """
    enough(logits, RATIO, "dlr")
    largest = logits.topk(RATIO, 1).values
    return -margin(logits, labels) / (largest[:, 0] - largest[:, 2] + LEVEL)


def targeted_ratio(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """As `ratio`, towards the classes ``targets`` (N,).

    Raises:
        ValueError: it needs four outputs.
    """
    enough(logits, TARGETED_RATIO, "dlr_targeted")
    largest = logits.topk(TARGETED_RATIO, 1).values
    spread = largest[:, 0] - (largest[:, 2] + largest[:, 3]) / 2
    return (of(logits, targets) - of(logits, labels)) / (spread + LEVEL)


def of(logits: Tensor, labels: Tensor) -> Tensor:
    """The logit (N,) of each label."""
    return logits.gather(1, labels[:, None])[:, 0]


def enough(logits: Tensor, needed: int, loss: str) -> None:
    """Refuse a loss that looks at more outputs than there are."""
    if logits.shape[1] < needed:
        raise ValueError(f"the loss {loss} needs at least {needed} outputs, got {logits.shape[1]}")


def ranks(targets: int | None, classes: int) -> range:
    """Ranks of the wrong classes that are aimed at, from 0, the likeliest; none given: at most nine.

    Raises:
        ValueError: there are fewer wrong classes, or none.
    """
    wrong = classes - 1
    if wrong < 1:
        raise ValueError(f"an attack that aims at wrong classes needs at least two classes, got {classes}")
    if targets is not None and targets > wrong:
        raise ValueError(f"targets must be at most {wrong}, the number of wrong classes, got {targets}")
    return range(min(TARGETS, wrong) if targets is None else targets)


def aimed(logits: Tensor, labels: Tensor, classes: int, rank: int) -> Tensor:
    """The wrong class (N,) with the ``rank``-th largest logit, from 0, of the ``classes`` known ones."""
    known = logits[:, :classes]
    order = known.masked_fill(_right(known, labels), -torch.inf).argsort(dim=1, descending=True, stable=True)
    return order[:, rank]


def _right(logits: Tensor, labels: Tensor) -> Tensor:
    return labels[:, None] == torch.arange(logits.shape[1], device=logits.device)
