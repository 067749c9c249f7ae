"""ResNet-8 for small images.

He, Zhang, Ren and Sun (2016): "Deep Residual Learning for Image Recognition", arXiv 1512.03385, section 4.2,
with n = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workloads.architectures._residual import SmallResidual


@dataclass(frozen=True)
class Resnet8(SmallResidual):
    """Stacks three stages of 1 residual block, for images from 8x8 up."""

    blocks: ClassVar[int] = 1
