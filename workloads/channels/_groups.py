"""Which channels of which layers belong together: one cannot go without the others.

Shortcuts, concatenations, norms and flattening couple the channels of many layers. The dependency graph of
Fang et al. (2023): "DepGraph: Towards Any Structural Pruning", arXiv 2301.12900, finds them by tracing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workloads.architectures._channels import IN, OUT, Channels
from workloads.architectures.base import Network


@dataclass(frozen=True)
class Slot:
    """Where a group's channels lie on one side of one layer."""

    layer: str
    side: str
    width: int
    """All channels of that side."""
    positions: Tensor
    """Places (P,) on that side; behind flattened maps a channel has many."""
    channels: Tensor
    """The group's channel (P,) at each place."""


@dataclass(frozen=True)
class Group:
    """Channels of one or more layers that stay or go together."""

    name: str
    """The weight of the layer that stands for them."""
    size: int
    slots: tuple[Slot, ...]

    def of_architecture(self, network: Network) -> int:
        """How many channels it has in the architecture of ``network``."""
        own = network.channels.get(f"{self.name.removesuffix('.weight')}/{OUT}")
        return self.size if own is None else own.numel()


def coupled(network: Network) -> list[Group]:
    """The groups of ``network`` in the order of its layers, all channels that can go in exactly one.

    The outputs stay, and so does what has no clear channels: the tokens and attention of a transformer.
    """
    import torch_pruning  # only what removes channels waits for it

    traced = copy.deepcopy(network).cpu().requires_grad_(True)
    image = torch.full((1, *network.shape), 0.5)
    with torch.enable_grad():
        graph = torch_pruning.DependencyGraph().build_dependency(traced, image, verbose=False)
    names = {layer: name for name, layer in traced.named_modules()}
    order = {f"{name}.weight": place for place, name in enumerate(names.values())}
    found = [_group(graph, names, items) for items in graph.get_all_groups(ignored_layers=[traced.head])]
    return sorted((group for group in found if group is not None), key=lambda group: order[group.name])


def totals(group: Group, values: Mapping[str, Tensor], side: str) -> Tensor:
    """The sum (C,) of ``values``, which are like the weights, over each channel's places on one side.

    ``out`` are the weights that make a channel, ``in`` those that read it.
    """
    found = torch.zeros(group.size)
    for slot in group.slots:
        value = values.get(f"{slot.layer}.weight")
        if slot.side == side and value is not None:
            at_place = value.movedim(0 if side == OUT else 1, 0).flatten(1).sum(1).cpu()
            found.index_add_(0, slot.channels, at_place[slot.positions])
    return found


def sides(groups: Iterable[Group], masks: Mapping[str, Tensor]) -> Channels:
    """``masks``, by the name of a group which of its channels (C,) stay, as sides of layers."""
    found: Channels = {}
    for group in groups:
        mask = masks[group.name].cpu()
        for slot in group.slots:
            side = found.setdefault(f"{slot.layer}/{slot.side}", torch.ones(slot.width, dtype=torch.bool))
            side[slot.positions] = mask[slot.channels]
    return {name: side for name, side in found.items() if not side.all()}


def _group(graph: Any, names: Mapping[nn.Module, str], items: Any) -> Group | None:
    """What the graph found, or None where it is no matter of channels alone."""
    root = items[0].dep.target.module
    size, slots = root.weight.shape[0], []
    for item in items:
        layer = item.dep.target.module
        if isinstance(layer, nn.Parameter):
            return None
        if layer not in names or not [*layer.parameters(recurse=False)]:
            continue  # an operation
        if not _sliceable(layer) or len(set(item.root_idxs)) != size:
            return None
        made = graph.is_out_channel_pruning_fn(item.dep.handler)
        width = layer.weight.shape[0 if made else 1]
        places, channels = torch.tensor(item.idxs), torch.tensor(item.root_idxs)
        slots.append(Slot(names[layer], OUT if made else IN, width, places, channels))
    return Group(f"{names[root]}.weight", size, tuple(slots))


def _sliceable(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.groups in (1, layer.out_channels)
    return isinstance(layer, nn.Linear | nn.BatchNorm2d)
