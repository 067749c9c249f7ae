"""Global sparsity: the weights of all layers compete, so layers that matter less become sparser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from workloads.sparsity._competition import winners
from workloads.sparsity.base import Allocation


@dataclass(frozen=True)
class Global(Allocation):
    """Keeps the largest scores of the whole network, and the largest of each layer in any case."""

    def kept(self, scores: Mapping[str, Tensor], sparsity: float) -> Mapping[str, int]:
        return winners(scores, sparsity)
