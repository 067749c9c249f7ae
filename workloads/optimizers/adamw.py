"""AdamW (Loshchilov and Hutter, 2019, arXiv 1711.05101)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from workloads.optimizers._lean import lean
from workloads.optimizers._moments import Moments


@dataclass(frozen=True)
class AdamW(Moments):
    """Steps as Adam does; weight decay shrinks the weights themselves, by the learning rate times it."""

    weight_decay: float = 1e-2

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = lean(torch.optim.AdamW)(parameters, **self.settings)
        return made
