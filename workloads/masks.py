"""Masks: which weights of a network exist."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

#: Weight name -> boolean mask of the weight's shape; empty for a dense network.
Masks = dict[str, Tensor]


def prunable(network: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that may be pruned, by name in order: convolutions and linear layers, with the head."""
    parameters = dict(network.named_parameters())
    return {
        f"{name}.weight": parameters[f"{name}.weight"]
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def layer_of(weight: str) -> str:
    """The readable name of a weight's layer: ``hidden1`` for ``body.hidden1.weight``, or ``head``."""
    return weight.removesuffix(".weight").removeprefix("body.")


def single_weight_layers(masks: Mapping[str, Tensor]) -> list[str]:
    """The layers of several weights of which ``masks`` leave one: what must stay where all could go."""
    return [layer_of(name) for name, mask in masks.items() if mask.numel() > 1 and int(mask.sum()) == 1]


def keep_largest(scores: Tensor, count: int, ties: Tensor | None = None) -> Tensor:
    """A mask with exactly ``count`` True, at the largest ``scores``.

    Equal scores go to the larger of ``ties`` (same shape), or without it to the lower index.
    """
    flat = scores.flatten()
    if ties is None:
        order = torch.sort(flat, descending=True, stable=True).indices
    else:
        first = torch.sort(ties.flatten(), descending=True, stable=True).indices
        order = first[torch.sort(flat[first], descending=True, stable=True).indices]
    mask = torch.zeros(scores.numel(), dtype=torch.bool, device=scores.device)
    mask[order[:count]] = True
    return mask.view(scores.shape)


@torch.no_grad()
def apply_masks(network: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the weights that do not exist to exactly zero."""
    weights = prunable(network)
    if masks:
        torch._foreach_mul_([weights[name] for name in masks], list(masks.values()))


def density(masks: Mapping[str, Tensor], network: nn.Module) -> float:
    """Non-zero places over prunable weights; layers without a mask count as dense."""
    sizes = {name: weight.numel() for name, weight in prunable(network).items()}
    kept = sum(int(masks[name].sum()) if name in masks else size for name, size in sizes.items())
    return kept / sum(sizes.values())
