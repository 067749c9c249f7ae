"""ResNet-8 for small images.

He, Zhang, Ren and Sun (2016): "Deep Residual Learning for Image Recognition", arXiv 1512.03385, section 4.2,
with n = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from workloads.architectures._residual import residual
from workloads.architectures.base import Architecture, Shape


@dataclass(frozen=True)
class Resnet8(Architecture):
    """Stacks three stages of 1 residual block, for images from 8x8 up."""

    smallest: ClassVar[int] = 8

    width: int = 16
    """Channels of the first stage; the others have twice and four times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")

    def body(self, shape: Shape) -> tuple[nn.Module, int]:
        return residual(shape[0], self.width, blocks=1)
