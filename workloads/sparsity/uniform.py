"""Uniform sparsity: every layer is as sparse as the whole network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from workloads.sparsity._rounding import exact_counts, total_kept
from workloads.sparsity.base import Allocation


@dataclass(frozen=True)
class Uniform(Allocation):
    """Keeps the same share of every layer."""

    dense_first: bool = False
    """Leave the first layer dense and make the others as sparse as asked (Evci et al., 2020)."""

    def kept(self, scores: Mapping[str, Tensor], sparsity: float) -> Mapping[str, int]:
        sizes = {name: score.numel() for name, score in scores.items()}
        dense = dict(list(sizes.items())[:1]) if self.dense_first else {}
        sparse = {name: size for name, size in sizes.items() if name not in dense}
        quotas = {name: (1 - sparsity) * size for name, size in sparse.items()}
        return dense | exact_counts(quotas, sparse, total_kept(sparse, sparsity))
