"""What every out-of-distribution detector promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass(frozen=True)
class Outputs:
    """What one forward pass gives of N images, and the layer that made the logits of the features.

    Raises:
        ValueError: there is no image, sizes disagree, or a logit or a feature is not a finite number.
    """

    logits: Tensor
    """(N, K + unknown outputs)"""
    features: Tensor
    """(N, D), penultimate; D is 0 for an ensemble, whose logits are the logarithms of mean probabilities."""
    labels: Tensor
    """(N,)"""
    classes: int
    """K"""
    weight: Tensor
    """(K + unknown outputs, D)"""
    bias: Tensor
    """(K + unknown outputs,)"""

    def __post_init__(self) -> None:
        if len({len(self.logits), len(self.features), len(self.labels)}) != 1:
            sizes = [len(tensor) for tensor in (self.logits, self.features, self.labels)]
            raise ValueError(f"logits, features and labels must be of the same images, got {sizes}")
        if self.weight.shape != (self.logits.shape[1], self.features.shape[1]):
            raise ValueError(
                f"the last layer must lead from {self.features.shape[1]} features to {self.logits.shape[1]} "
                f"logits, got weights of {tuple(self.weight.shape)}"
            )
        if not 1 <= self.classes <= self.logits.shape[1]:
            raise ValueError(f"classes must be in [1, {self.logits.shape[1]}], got {self.classes}")
        if len(self.labels) == 0:
            raise ValueError("a detector needs at least one image, got none")
        for name, tensor in (("logits", self.logits), ("features", self.features)):
            if bad := int((~tensor.isfinite()).any(1).sum()):
                raise ValueError(
                    f"{name} must be finite numbers, got others for {bad} of {len(tensor)} images"
                )

    @property
    def known(self) -> Tensor:
        """The logits (N, K) of the known classes, as float64."""
        return self.logits[:, : self.classes].double()


#: Outputs of N images -> scores (N,), higher = more anomalous.
Scorer = Callable[[Outputs], Tensor]


@dataclass(frozen=True)
class Detector(ABC):
    """A way to tell that an image is not like the training images."""

    version: ClassVar[int] = 1
    by_probabilities: ClassVar[bool] = False
    """Whether it reads the softmax of the logits and nothing else: then it can look at an ensemble, too."""

    @abstractmethod
    def fit(self, train: Outputs) -> Scorer:
        """A scorer: higher = more anomalous.

        ``train`` are the training images' outputs, without augmentation. Scores are float64.
        """
