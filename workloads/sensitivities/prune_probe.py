"""A probe by pruning: what the network loses when one layer alone is pruned.

OUR RECONSTRUCTION, no published formula. Bai, Tabia and Santos-Rodriguez (2024): "Adaptive Pruning with
Module Robustness Sensitivity", arXiv 2410.15176, set the pruning ratios of layers by their sensitivity under
attack; only the idea is known to us, not their measure. This is the most direct one for the purpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from workloads.masks import keep_largest
from workloads.sensitivities._layer import Layer
from workloads.sensitivities.base import Sensitivity


@dataclass(frozen=True)
class PruneProbe(Sensitivity):
    """Prunes the layer by magnitude and leaves the others alone; the loss may also fall."""

    sparsity: float = 0.5
    """Share of the layer's weights that goes; in a sparse network of those that exist."""

    def __post_init__(self) -> None:
        if not 0 < self.sparsity < 1:
            raise ValueError(f"sparsity must be in (0, 1), got {self.sparsity}")

    def changed(self, layer: Layer) -> Tensor:
        size = layer.weight.abs()
        exists = size.numel() if layer.mask is None else int(layer.mask.sum())
        if layer.mask is not None:
            size = size.masked_fill(~layer.mask, -math.inf)
        return layer.weight * keep_largest(size, max(1, round((1 - self.sparsity) * exists)))
