"""VGG-11 with batch norm.

Simonyan and Zisserman (2015): "Very Deep Convolutional Networks for Large-Scale Image Recognition", arXiv
1409.1556, table 1, column A.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workloads.architectures._vgg import Vgg


@dataclass(frozen=True)
class Vgg11(Vgg):
    """Stacks 8 convolutions in five stages, for images from 8x8 up."""

    convolutions: ClassVar[tuple[int, int, int, int, int]] = (1, 1, 2, 2, 2)
