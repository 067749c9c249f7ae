"""How many weights a pruning takes: down to a sparsity, a share of each layer, or n of m neighbours.

In all scores minus infinity marks a weight that is gone already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.masks import Masks, density, keep_largest, layer_of, prunable
from workloads.sparsity._rounding import exact_counts
from workloads.sparsity.base import Allocation


def left_of(scores: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``scores`` with minus infinity where ``masks`` say that a weight is gone."""
    return {
        name: score.masked_fill(~masks[name], -torch.inf) if name in masks else score
        for name, score in scores.items()
    }


def to_sparsity(scores: Mapping[str, Tensor], allocation: Allocation, sparsity: float) -> Masks:
    """Masks of ``sparsity`` of the whole network; no weight comes back.

    Where the allocation asks for more than is left of a layer, the other layers keep more in proportion.

    Raises:
        ValueError: the network is sparser already, or ``sparsity`` is outside [0, 1).
    """
    size, left = _size(scores), _remaining(scores)
    if round((1 - sparsity) * size) > sum(left.values()):
        own = 1 - sum(left.values()) / size
        raise ValueError(f"sparsity must be at least the network's own, {own:.6g}, got {sparsity}")
    masks = allocation.masks(scores, sparsity)
    kept = {name: int(mask.sum()) for name, mask in masks.items()}
    if all(kept[name] <= left[name] for name in kept):
        return masks
    return _largest(scores, within(kept, left))


def within(kept: Mapping[str, int], left: Mapping[str, int]) -> dict[str, int]:
    """Counts of the total of ``kept``, none above ``left``: what one lacks is spread in proportion."""
    total, quotas, full = sum(kept.values()), dict[str, float](kept), set[str]()
    while over := {name for name in kept if name not in full and quotas[name] > left[name]}:
        full |= over
        rest = sum(kept[name] for name in kept if name not in full)
        scale = (total - sum(left[name] for name in full)) / max(rest, 1)
        quotas = {name: left[name] if name in full else kept[name] * scale for name in kept}
    return exact_counts(quotas, left, total)


def sparsity_after(fraction: float, network: Network, masks: Mapping[str, Tensor]) -> float:
    """The sparsity of the whole ``network`` without ``fraction`` of the weights that ``masks`` leave."""
    size = sum(weight.numel() for weight in prunable(network).values())
    left = round(density(masks, network) * size)
    return 1 - (left - round(fraction * left)) / size


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
    return _largest(scores, kept)


def by_pattern(scores: Mapping[str, Tensor], kept: int, group: int) -> Masks:
    """Masks with the best ``kept`` of every ``group`` neighbouring inputs of an output (and kernel place).

    A layer whose inputs are no multiple of ``group`` stays as it is.
    """
    return {
        name: _best_of_groups(score, kept, group) & (score != -torch.inf)
        if score.shape[1] % group == 0
        else score != -torch.inf
        for name, score in scores.items()
    }


def parsed(pattern: str) -> tuple[int, int]:
    """How many stay of how many: (2, 4) for ``2:4``.

    Raises:
        ValueError: that is no pattern.
    """
    found = re.fullmatch(r"(\d+):(\d+)", pattern)
    kept, group = map(int, found.groups()) if found else (0, 0)
    if not 0 < kept < group:
        raise ValueError(f"pattern must be n:m with 0 < n < m, as in 2:4, got {pattern!r}")
    return kept, group


def _best_of_groups(score: Tensor, kept: int, group: int) -> Tensor:
    """A mask of ``score`` (outputs, inputs, ...) by groups along the inputs; ties go to the lower index."""
    last = score.movedim(1, -1)
    groups = last.reshape(*last.shape[:-1], -1, group)
    order = torch.sort(groups, dim=-1, descending=True, stable=True).indices
    best = torch.zeros(groups.shape, dtype=torch.bool, device=score.device)
    best.scatter_(-1, order[..., :kept], True)
    return best.flatten(-2).movedim(-1, 1).contiguous()


def _largest(scores: Mapping[str, Tensor], kept: Mapping[str, int]) -> Masks:
    return {name: keep_largest(score, kept[name]) for name, score in scores.items()}


def _size(scores: Mapping[str, Tensor]) -> int:
    return sum(score.numel() for score in scores.values())


def _remaining(scores: Mapping[str, Tensor]) -> dict[str, int]:
    """The weights of each layer that are left."""
    return {name: int((score != -torch.inf).sum()) for name, score in scores.items()}
