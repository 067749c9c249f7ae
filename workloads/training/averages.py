"""The average of weights that a training may keep instead of its last ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.masks import Masks, apply_masks


@torch.no_grad()
def take(average: dict[str, Tensor], network: Network, factors: Mapping[str, Tensor], share: float) -> None:
    """Let the parameters of ``network``, times their ``factors``, make up ``share`` of ``average``.

    An empty ``average`` takes them as they are. Running statistics are no part of it.
    """
    values = {
        name: parameter * factors[name] if name in factors else parameter.detach()
        for name, parameter in network.named_parameters()
    }
    if average:
        torch._foreach_lerp_([average[name] for name in values], list(values.values()), share)
    else:
        average.update({name: value.clone() for name, value in values.items()})


@torch.no_grad()
def settle(network: Network, average: Mapping[str, Tensor], masks: Masks) -> None:
    """Give ``network`` the weights of ``average``, those that do not exist at zero."""
    for name, parameter in network.named_parameters():
        parameter.copy_(average[name])
    apply_masks(network, masks)


@contextmanager
def multiplied(weights: Mapping[str, Tensor], factors: Mapping[str, Tensor]) -> Iterator[None]:
    """Has ``weights`` times ``factors`` in a network; afterwards as they were, their gradients times them.

    That is the chain rule: the gradient of L(z * w) is z times the gradient of L at z * w.
    """
    if not factors:
        yield
        return
    changed, scales = [weights[name] for name in factors], list(factors.values())
    with torch.no_grad():
        before = [weight.clone() for weight in changed]
        torch._foreach_mul_(changed, scales)
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(changed, before)
            for weight, scale in zip(changed, scales, strict=True):
                if weight.grad is not None:
                    weight.grad.mul_(scale)
