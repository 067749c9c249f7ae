"""The random masks that sparse training from scratch starts with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from workloads.masks import Masks, prunable
from workloads.randomness import derive, uniform
from workloads.sparsity.base import Allocation


def random_masks(
    network: nn.Module, masks: Mapping[str, Tensor], allocation: Allocation, sparsity: float, seed: int
) -> Masks:
    """Random masks of ``sparsity``; weights that ``masks`` has removed already come last."""
    scores = {name: noise(weight, seed, "masks", name) for name, weight in prunable(network).items()}
    for name, mask in masks.items():
        scores[name] = scores[name].masked_fill(~mask, -torch.inf)
    return allocation.masks(scores, sparsity)


def noise(like: Tensor, seed: int, *purpose: int | str) -> Tensor:
    """Uniform numbers in the shape of ``like``, on its device, from (``seed``, ``purpose``, place) alone."""
    places = torch.arange(like.numel(), device=like.device)
    return uniform(derive(seed, *purpose), places, ()).view(like.shape)
