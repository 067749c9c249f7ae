"""How many channels go, so that what is left costs no more than asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from workloads.architectures._channels import weights_left, weights_of_architecture
from workloads.architectures.base import Network
from workloads.channels._groups import Group, sides
from workloads.masks import Masks
from workloads.sparsity.base import Allocation

#: What a share is taken of: ``weights`` are those of convolutions and linear layers, as everywhere.
Unit = Literal["channels", "weights", "flops"]
#: What rounding may add to a budget.
SLACK = 1e-9


@dataclass(frozen=True)
class Costs:
    """What the channels of a network cost, in one unit."""

    unit: Unit
    network: Network
    groups: Sequence[Group]
    flops: Mapping[str, float]
    """Weight name -> FLOPs of its layer for one image."""

    def of(self, masks: Masks) -> float:
        """The cost with the channels in ``masks``, by the name of their group."""
        if self.unit == "channels":
            return float(sum(int(mask.sum()) for mask in masks.values()))
        return self._priced(weights_left(self.network, sides(self.groups, masks)))

    def now(self) -> float:
        """The cost with the channels that are there."""
        if self.unit == "channels":
            return float(sum(group.size for group in self.groups))
        return self._priced(weights_left(self.network, {}))

    def of_architecture(self) -> float:
        """The cost with all channels that the architecture has."""
        if self.unit == "channels":
            return float(sum(group.of_architecture(self.network) for group in self.groups))
        return self._priced(weights_of_architecture(self.network))

    def left(self) -> float:
        """The share of the architecture's cost that is left."""
        return self.now() / self.of_architecture()

    def _priced(self, sizes: Mapping[str, int]) -> float:
        """The cost of so many weights in each layer."""
        if self.unit == "weights":
            return float(sum(sizes.values()))
        before = weights_left(self.network, {})
        return sum(self.flops[name] * size / before[name] for name, size in sizes.items())


def within(costs: Costs, scores: Mapping[str, Tensor], allocation: Allocation, budget: float) -> Masks:
    """As many channels, by the name of their group, as ``allocation`` may keep for at most ``budget``.

    Raises:
        ValueError: one channel of each layer costs more.
    """
    size = sum(group.size for group in costs.groups)
    few, many = len(costs.groups), size
    masks = allocation.masks(scores, 1 - few / size)
    if costs.of(masks) > budget * (1 + SLACK):
        share = 1 - costs.of(masks) / costs.of_architecture()
        raise ValueError(
            f"one channel of each layer stays, so at most {share:.6g} of the architecture's {costs.unit} "
            f"can go, got {1 - budget / costs.of_architecture():.6g}"
        )
    while few < many:
        middle = (few + many + 1) // 2
        tried = allocation.masks(scores, 1 - middle / size)
        if costs.of(tried) <= budget * (1 + SLACK):
            few, masks = middle, tried
        else:
            many = middle - 1
    return masks
