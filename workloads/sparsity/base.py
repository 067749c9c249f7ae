"""What every allocation promises: how many weights each layer keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from workloads.masks import Masks, keep_largest


@dataclass(frozen=True)
class Allocation(ABC):
    """How a sparsity of the whole network is spread over its layers."""

    version: ClassVar[int] = 1

    @final
    def masks(self, scores: Mapping[str, Tensor], sparsity: float) -> Masks:
        """Masks that keep the largest ``scores`` of each layer, with exactly the asked total.

        A score of minus infinity marks a weight that is gone already; such weights are kept last.
        At least one weight of each layer stays.

        Raises:
            ValueError: ``sparsity`` is outside [0, 1) or leaves a layer empty, or a score is NaN.
        """
        if not 0 <= sparsity < 1:
            raise ValueError(f"sparsity must be in [0, 1), got {sparsity}")
        if broken := [name for name, score in scores.items() if score.isnan().any()]:
            raise ValueError(f"scores must be numbers, got NaN in {', '.join(broken)}")
        kept = self.kept(scores, sparsity)
        return {name: keep_largest(score, kept[name]) for name, score in scores.items()}

    @abstractmethod
    def kept(self, scores: Mapping[str, Tensor], sparsity: float) -> Mapping[str, int]:
        """How many weights each layer keeps, each at least 1; the sum is round((1 - sparsity) * all).

        A rule that by its paper keeps another total (a dense first layer) says so in a field.
        """
