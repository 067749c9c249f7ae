"""Edge-popup (Ramanujan, Wortsman, Kembhavi, Farhadi and Rastegari, 2020, arXiv 1911.13299)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from workloads.randomness import stream
from workloads.sparse_training._learned import Learned


@dataclass(frozen=True)
class EdgePopup(Learned):
    """Learns random scores and selects from weights that stay as they came, or as their signs."""

    weights: Literal["own", "signed_constant"] = "own"
    """The network's own, or their signs times the deviation of He's initialisation, the paper's best."""

    def first_scores(self, weights: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
        return {
            name: torch.empty(weight.shape)
            .uniform_(-bound, bound, generator=stream(seed, "scores", name))
            .to(weight.device)
            for name, weight in weights.items()
            for bound in [_fan_in(weight) ** -0.5]
        }

    def values(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if self.weights == "own":
            return {name: weight.clone() for name, weight in weights.items()}
        return {name: weight.sign() * math.sqrt(2 / _fan_in(weight)) for name, weight in weights.items()}


def _fan_in(weight: Tensor) -> int:
    """Inputs of one output."""
    return weight[0].numel()
