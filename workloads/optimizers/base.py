"""What every optimizer promises."""

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
