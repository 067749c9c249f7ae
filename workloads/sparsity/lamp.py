"""The allocation that LAMP implies (Lee, Park, Mo, Ahn and Shin, 2021, arXiv 2010.07611).

With ``magnitude`` it is the paper's method, as the criterion ``lamp`` with ``global`` is; here any criterion
chooses the weights, and a training may spread its sparsity so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.sparsity._competition import winners
from workloads.sparsity.base import Allocation

TINY = 1e-300


@dataclass(frozen=True)
class Lamp(Allocation):
    """Lets all layers compete by the square of a score over the sum of those in its layer not smaller.

    Scores below zero count as zero.
    """

    def kept(self, scores: Mapping[str, Tensor], sparsity: float) -> Mapping[str, int]:
        competing = {
            name: lamp(score.clamp_min(0)).masked_fill(score == -torch.inf, -torch.inf)
            for name, score in scores.items()
        }
        return winners(competing, sparsity)


def lamp(weight: Tensor) -> Tensor:
    """The square of each entry over the sum of all squares in ``weight`` that are not smaller, as float64."""
    squares = weight.flatten().double().square()
    falling, order = torch.sort(squares, descending=True, stable=True)
    scores = torch.empty_like(squares)
    scores[order] = falling / falling.cumsum(0).clamp_min(TINY)
    return scores.view(weight.shape)
