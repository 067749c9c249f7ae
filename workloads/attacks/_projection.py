"""Back into what an attack may show: the ball around each image, then the range of pixels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Norm = Literal["linf", "l2"]
#: Keeps a division by the length of a vector of zeros from being one by zero.
TINY = 1e-30


@torch.no_grad()
def project(perturbed: Tensor, images: Tensor, epsilon: float, norm: Norm) -> Tensor:
    """The nearest points to ``perturbed`` in the ball of ``epsilon`` around ``images``, then in [0, 1].

    The images lie in [0, 1], so the second step leaves no ball.
    """
    if norm == "linf":
        inside = perturbed.clamp(images - epsilon, images + epsilon)
    else:
        change = perturbed - images
        length = lengths(change)
        inside = torch.where(
            length > epsilon, images + change * (epsilon / length.clamp_min(TINY)), perturbed
        )
    return inside.clamp(0, 1)


def lengths(changes: Tensor) -> Tensor:
    """The Euclidean length (N, 1, 1, 1) of each of ``changes`` (N, C, H, W)."""
    found: Tensor = torch.linalg.vector_norm(changes.flatten(1), dim=1)
    return found[:, None, None, None]
