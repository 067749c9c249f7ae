"""Adam (Kingma and Ba, 2015, arXiv 1412.6980)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from workloads.optimizers._lean import lean
from workloads.optimizers._moments import Moments


@dataclass(frozen=True)
class Adam(Moments):
    """Scales each weight's step by running moments of its gradient; weight decay is added to the gradient."""

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = lean(torch.optim.Adam)(parameters, **self.settings)
        return made
