"""Back into what an attack may show, the ball and the range of pixels, and inside that onto a plane."""

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


@torch.no_grad()
def to_boundary(images: Tensor, gradient: Tensor, rise: Tensor, norm: Norm) -> Tensor:
    """The smallest changes (N, C, H, W) that raise a linear function by ``rise`` (N,), inside [0, 1].

    ``gradient`` (N, C, H, W) is the function's. Where the range of pixels has no such image, those that come
    nearest to it. (Croce and Hein, 2020, arXiv 1907.02044, section 2.2.)
    """
    slopes = gradient.flatten(1).double() * rise.sign()[:, None]
    start = images.flatten(1).double()
    room = torch.where(slopes > 0, 1 - start, start)
    # Along the way at time t each pixel has moved by min(speed * t, room); find t where the sum is the rise.
    speed = torch.ones_like(slopes) if norm == "linf" else slopes.abs()
    speed = torch.where(slopes == 0, 0, speed)
    gain = slopes.abs() * speed
    ends, order = torch.where(speed > 0, room / speed.clamp_min(TINY), 0).sort(1)
    gain = gain.gather(1, order)
    stopped = torch.nn.functional.pad((gain * ends).cumsum(1), (1, 0))[:, :-1]
    moving = gain.flip(1).cumsum(1).flip(1)
    # Pixel k stops at ends[k]: until then those before it have stopped and it moves with those behind it.
    times = (rise.double().abs()[:, None] - stopped) / moving.clamp_min(TINY)
    reached = (times <= ends) & (moving > 0)
    first = reached.to(torch.int8).argmax(1, keepdim=True)
    time = torch.where(reached.any(1, keepdim=True), times.gather(1, first), ends[:, -1:]).clamp_min(0)
    change = slopes.sign() * torch.minimum(speed * time, room)
    return change.view_as(images).to(images.dtype)
