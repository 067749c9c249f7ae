"""ResNet-44 for small images.

He, Zhang, Ren and Sun (2016): "Deep Residual Learning for Image Recognition", arXiv 1512.03385, section 4.2,
with n = 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workloads.architectures._residual import SmallResidual


@dataclass(frozen=True)
class Resnet44(SmallResidual):
    """Stacks three stages of 7 residual blocks, for images from 8x8 up."""

    blocks: ClassVar[int] = 7
