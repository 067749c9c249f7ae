"""ResNet-50.

He, Zhang, Ren and Sun (2016): "Deep Residual Learning for Image Recognition", arXiv 1512.03385, table 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workloads.architectures._resnet import Resnet


@dataclass(frozen=True)
class Resnet50(Resnet):
    """Stacks four stages of 3, 4, 6 and 3 bottleneck blocks, for images from 8x8 up."""

    blocks: ClassVar[tuple[int, int, int, int]] = (3, 4, 6, 3)
    bottleneck: ClassVar[bool] = True
