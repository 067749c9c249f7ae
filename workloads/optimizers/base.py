"""What every optimizer promises.

A weight at zero whose gradients are zero must stay exactly zero, and so must what is remembered of it: the
training loop keeps the weights that a mask removes at zero by their gradients alone. So of torch's optimizers
Muon (Jordan et al., 2024) has no place here, whose steps mix the weights of a layer; LARS is not in torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn


@dataclass(frozen=True)
class Optimizer(ABC):
    """How weights move. ``lr`` is the learning rate that the schedule's factor scales."""

    version: ClassVar[int] = 1

    @property
    @abstractmethod
    def rate(self) -> float:
        """The base learning rate."""

    @abstractmethod
    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimizer of ``parameters``."""
