"""Weights that are left out of a step at random."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from workloads.masks import Masks
from workloads.randomness import derive


def left_out(
    weights: Mapping[str, Tensor], masks: Masks, share: float, rescale: bool, seed: int
) -> dict[str, Tensor]:
    """A factor for each of ``weights``: 0 for a random ``share`` of those that exist.

    It is 1 for the others, or 1 / (1 - share) if ``rescale``; places without a weight have the factor 1, so
    that their gradients stay. Drawn on the weights' device.
    """
    kept = 1 / (1 - share) if rescale else 1.0
    factors = {}
    for name, weight in weights.items():
        draws = torch.Generator(weight.device).manual_seed(derive(seed, "weights left out", name))
        numbers = torch.rand(weight.shape, generator=draws, device=weight.device)
        factor = torch.where(numbers < share, 0.0, kept)
        factors[name] = factor.masked_fill_(~masks[name], 1.0) if name in masks else factor
    return factors
