"""HYDRA (Sehwag, Wang, Mittal and Jana, 2020, arXiv 2002.10509): clean or adversarial by the objective."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from workloads.sparse_training._learned import Learned


@dataclass(frozen=True)
class Hydra(Learned):
    """Learns scores that start in proportion to the weights of a trained network; fine-tuning comes after."""

    batch_norm: bool = True

    def first_scores(self, weights: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
        return {
            name: weight * (math.sqrt(6 / weight[0].numel()) / weight.abs().max())
            for name, weight in weights.items()
        }
