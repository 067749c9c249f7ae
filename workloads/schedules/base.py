"""What every learning-rate schedule promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Schedule(ABC):
    """The learning rate over a training, as a factor of the optimizer's rate."""

    version: ClassVar[int] = 1

    @abstractmethod
    def factor(self, progress: float) -> float:
        """The factor at ``progress``, the fraction in [0, 1) of the steps that are done."""
