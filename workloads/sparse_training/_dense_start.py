"""The masks of a training that starts dense, or as dense as the network comes, and removes weights later."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from workloads.masks import Masks, density, prunable


def whole(network: nn.Module, masks: Mapping[str, Tensor], sparsity: float) -> Masks:
    """``masks``, and full ones for the other layers.

    Raises:
        ValueError: the network is sparser than ``sparsity`` already.
    """
    if (own := 1 - density(masks, network)) > sparsity:
        raise ValueError(
            f"sparsity must be at least that of the network that is read, {own:.6g}, got {sparsity}"
        )
    weights = prunable(network)
    return {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()} | dict(masks)
