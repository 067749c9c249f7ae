"""Channels that are gone: networks whose layers are narrower than their architecture makes them.

Which channels a network has is said in terms of its architecture, however often it was narrowed, so that
another network of that architecture (its first weights) can be narrowed alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from workloads.masks import prunable

if TYPE_CHECKING:
    from workloads.architectures.base import Network

#: Side of a layer, as ``body.conv1/out`` or ``body.conv2/in`` -> which of its channels are there (C,), as
#: booleans on the CPU. A side that is whole is left out. A norm, and a convolution within each channel, has
#: an ``out`` alone.
Channels = dict[str, Tensor]

OUT, IN = "out", "in"
SIDES = (OUT, IN)


def keep(network: Network, channels: Channels) -> None:
    """Leave only these ``channels`` of what its architecture has to ``network``, in place.

    Raises:
        ValueError: ``network`` lacks one of them.
    """
    now = relative(network.channels, channels)
    for name, layer in network.named_modules():
        if any(f"{name}/{side}" in now for side in SIDES):
            _narrow(name, layer, now)
    network.channels = dict(channels)


def relative(before: Channels, after: Channels) -> Channels:
    """``after`` in terms of a network that has ``before`` alone.

    Raises:
        ValueError: ``after`` has a channel that is not in ``before``.
    """
    found = {}
    for side in before.keys() | after.keys():
        own, wanted = before.get(side), after.get(side)
        if own is not None and (wanted is None or bool((wanted & ~own).any())):
            raise ValueError(f"channels that are gone cannot be kept, got some of {side}")
        if wanted is not None:
            found[side] = wanted if own is None else wanted[own]
    return found


def composed(before: Channels, now: Channels) -> Channels:
    """What is left of the architecture, where ``now`` says what is left of ``before``."""
    found = dict(before)
    for side, mask in now.items():
        if side in before:
            found[side] = before[side].clone()
            found[side][before[side]] = mask
        else:
            found[side] = mask
    return dict(sorted(found.items()))


def sliced(name: str, tensor: Tensor, now: Channels) -> Tensor:
    """The weight, mask, bias or statistic ``name`` without the channels that are not in ``now``."""
    layer = name.rpartition(".")[0]
    for dimension, side in enumerate(SIDES):
        mask = now.get(f"{layer}/{side}")
        if mask is not None and tensor.dim() > dimension:
            tensor = tensor.index_select(dimension, mask.nonzero().flatten().to(tensor.device))
    return tensor


def weights_left(network: nn.Module, now: Channels) -> dict[str, int]:
    """Weight name -> how many numbers it would have with the channels in ``now``."""
    return {name: _scaled(name, weight.numel(), now, 1) for name, weight in prunable(network).items()}


def weights_of_architecture(network: Network) -> dict[str, int]:
    """Weight name -> how many numbers it has in the architecture of ``network``."""
    sizes = {name: weight.numel() for name, weight in prunable(network).items()}
    return {name: _scaled(name, size, network.channels, -1) for name, size in sizes.items()}


def _scaled(name: str, size: int, channels: Mapping[str, Tensor], way: int) -> int:
    """``size`` of a weight from all of ``channels`` to those there (``way`` 1), or back (-1)."""
    for side in SIDES:
        if (mask := channels.get(f"{name.removesuffix('.weight')}/{side}")) is not None:
            whole, left = mask.numel(), int(mask.sum())
            size = size // whole * left if way > 0 else size // left * whole
    return size


@torch.no_grad()
def _narrow(name: str, layer: nn.Module, now: Channels) -> None:
    """Slice what ``layer`` has and tell it its new widths."""
    for which, parameter in [*layer.named_parameters(recurse=False)]:
        setattr(layer, which, nn.Parameter(sliced(f"{name}.{which}", parameter.detach(), now)))
    for which, buffer in [*layer.named_buffers(recurse=False)]:
        setattr(layer, which, sliced(f"{name}.{which}", buffer, now))
    if isinstance(layer, nn.Conv2d):
        layer.out_channels, per_group = layer.weight.shape[:2]
        if layer.groups > 1:  # within each channel
            layer.groups = layer.out_channels
        layer.in_channels = per_group * layer.groups
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, nn.BatchNorm2d):
        layer.num_features = len(layer.weight)
    else:
        raise TypeError(f"{name}: there is no rule for the channels of a {type(layer).__name__}")
