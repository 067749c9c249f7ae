"""Where a model's loss rises, and whether an image fools it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from workloads.attacks._projection import TINY, Norm, lengths
from workloads.attacks.base import Model


def odds(logits: Tensor, labels: Tensor) -> Tensor:
    """The log-odds (N,) against the right label, log((1 - p) / p), over all outputs.

    It grows with the cross-entropy -log(p), so it has the same steepest direction and the same worst image;
    but it stays exact where p rounds to 1. There the gradient of the cross-entropy vanishes, which looks like
    robustness.
    """
    logits = logits.float()
    right = labels[:, None] == torch.arange(logits.shape[1], device=logits.device)
    return logits.masked_fill(right, -torch.inf).logsumexp(1) - logits.masked_fill(~right, 0).sum(1)


def slope(model: Model, images: Tensor, loss: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The ``loss`` (N,) of the logits, its gradient (N, C, H, W) by the images, and the logits (N, outputs).

    The parameters of the model get no gradient, and the caller's grad mode does not matter.
    """
    with torch.inference_mode(False), torch.enable_grad():
        images = images.clone().detach().requires_grad_()
        logits = model(images)
        values = loss(logits)
        (gradient,) = torch.autograd.grad(values.sum(), images)
    return values.detach(), gradient, logits.detach()


def way(gradient: Tensor, norm: Norm) -> Tensor:
    """The steps (N, C, H, W) of length 1 in ``norm`` along ``gradient``; 0 where it is 0."""
    if norm == "linf":
        return gradient.sign()
    largest = gradient.abs().amax((1, 2, 3), keepdim=True)  # squares of tiny numbers would vanish
    gradient = gradient / largest.clamp_min(TINY)
    return gradient / lengths(gradient).clamp_min(TINY)


def ascent(model: Model, images: Tensor, labels: Tensor, norm: Norm) -> Tensor:
    """Steps (N, C, H, W) of length 1 in ``norm`` that raise the cross-entropy fastest; 0 where it is flat."""
    _, gradient, _ = slope(model, images, lambda logits: odds(logits, labels))
    return way(gradient, norm)


def mistaken(model: Model, logits: Tensor, labels: Tensor) -> Tensor:
    """Whether (N,) another of the K known classes than the label is preferred."""
    return logits[:, : model.classes].argmax(1) != labels


@torch.no_grad()
def judged(model: Model, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The log-odds (N,) against the label, and whether (N,) another of the K known classes is preferred."""
    logits = model(images)
    return odds(logits, labels), mistaken(model, logits, labels)
