"""LeNet-5.

LeCun, Bottou, Bengio and Haffner (1998): "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11). As used today: ReLU for tanh, all maps connected, a linear head: 61,706
parameters on 1x28x28 images of 10 classes.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from workloads.architectures.base import Architecture, Shape

KERNEL, FRAME = 5, 2
#: LeCun's 28x28 digits stood in a frame of 2 that made them 32x32: smaller images get it as padding.
FRAMED_BELOW = 32
#: Below this the second convolution would leave less than 2x2 to the hidden layers, so it is padded as well.
PADDED_BELOW = 16


@dataclass(frozen=True)
class Lenet(Architecture):
    """Stacks two 5x5 convolutions with average pooling and two hidden layers, for images from 8x8 up."""

    smallest: ClassVar[int] = 8

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        channels, *sides = shape
        first = FRAME if min(sides) < FRAMED_BELOW else 0
        second = FRAME if min(sides) < PADDED_BELOW else 0
        height, width = (pooled(pooled(side, first), second) for side in sides)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv2d(channels, 6, KERNEL, padding=first),
            relu1=nn.ReLU(inplace=True),
            pool1=nn.AvgPool2d(2),
            conv2=nn.Conv2d(6, 16, KERNEL, padding=second),
            relu2=nn.ReLU(inplace=True),
            pool2=nn.AvgPool2d(2),
            flatten=nn.Flatten(),
            hidden1=nn.Linear(16 * height * width, 120),
            relu3=nn.ReLU(inplace=True),
            hidden2=nn.Linear(120, 84),
            relu4=nn.ReLU(inplace=True),
        )
        return nn.Sequential(layers), 84


def pooled(side: int, padding: int) -> int:
    """A side after a convolution and a pooling."""
    return (side + 2 * padding - KERNEL + 1) // 2
