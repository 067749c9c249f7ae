"""ResNet-18.

He, Zhang, Ren and Sun (2016): "Deep Residual Learning for Image Recognition", arXiv 1512.03385, table 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workloads.architectures._resnet import Resnet


@dataclass(frozen=True)
class Resnet18(Resnet):
    """Stacks four stages of 2, 2, 2 and 2 basic blocks, for images from 8x8 up."""

    blocks: ClassVar[tuple[int, int, int, int]] = (2, 2, 2, 2)
