"""How many weights a pruning takes: down to a sparsity, or a fraction of those that are left.

In all scores minus infinity marks a weight that is gone already.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from workloads.masks import Masks, keep_largest, layer_of
from workloads.sparsity.base import Allocation


def to_sparsity(scores: Mapping[str, Tensor], allocation: Allocation, sparsity: float) -> Masks:
    """Masks of ``sparsity`` of the whole network.

    Raises:
        ValueError: the network is sparser already, or ``sparsity`` is outside [0, 1).
    """
    size, left = _size(scores), sum(_remaining(scores).values())
    if round((1 - sparsity) * size) > left:
        raise ValueError(
            f"sparsity must be at least the network's own, {1 - left / size:.6g}, got {sparsity}"
        )
    return allocation.masks(scores, sparsity)


def by_fraction(scores: Mapping[str, Tensor], allocation: Allocation, fraction: float) -> Masks:
    """Masks without ``fraction`` of the weights that are left in the whole network."""
    left = sum(_remaining(scores).values())
    return allocation.masks(scores, 1 - (left - round(fraction * left)) / _size(scores))


def by_layer(scores: Mapping[str, Tensor], fractions: Mapping[str, float]) -> Masks:
    """Masks without the given fraction of what is left of each named layer; other layers stay as they are.

    Raises:
        ValueError: there is no layer of that name.
    """
    layers = [layer_of(name) for name in scores]
    if strange := sorted(fractions.keys() - set(layers)):
        raise ValueError(f"fractions must name layers of the network, {', '.join(layers)}; got {strange}")
    kept = {
        name: max(1, left - round(fractions.get(layer_of(name), 0.0) * left))
        for name, left in _remaining(scores).items()
    }
    return {name: keep_largest(score, kept[name]) for name, score in scores.items()}


def _size(scores: Mapping[str, Tensor]) -> int:
    return sum(score.numel() for score in scores.values())


def _remaining(scores: Mapping[str, Tensor]) -> dict[str, int]:
    """The weights of each layer that are left."""
    return {name: int((score != -torch.inf).sum()) for name, score in scores.items()}
