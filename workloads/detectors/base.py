"""What every out-of-distribution detector promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass(frozen=True)
class Outputs:
    """What one forward pass gives: logits (N, K + unknown), features (N, D), labels (N,), and K."""

    logits: Tensor
    features: Tensor
    labels: Tensor
    classes: int


#: Outputs of N images -> scores (N,), higher = more anomalous.
Scorer = Callable[[Outputs], Tensor]


@dataclass(frozen=True)
class Detector(ABC):
    """A way to tell that an image is not like the training images."""

    version: ClassVar[int] = 1

    @abstractmethod
    def fit(self, train: Outputs) -> Scorer:
        """A scorer: higher = more anomalous.

        ``train`` are the training images' outputs, without augmentation. Scores are float64.
        """
