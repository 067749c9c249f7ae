"""LeNet-5, as published and as the pruning literature means it.

LeCun, Bottou, Bengio and Haffner (1998): "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11). Han, Pool, Tran and Dally (2015): "Learning both Weights and Connections for
Efficient Neural Networks", arXiv 1506.02626, and most papers on pruning after it mean the wider network that
came with Caffe: 431,080 parameters on 1x28x28 images of 10 classes.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn

from workloads.architectures.base import Architecture, Shape
from workloads.architectures.lenet import FRAME, KERNEL, PADDED_BELOW, Lenet, pooled

FIRST, SECOND, HIDDEN = 20, 50, 500


@dataclass(frozen=True)
class Lenet5(Architecture):
    """Stacks two 5x5 convolutions with pooling and hidden layers, for images from 8x8 up."""

    smallest: ClassVar[int] = 8

    form: Literal["lecun", "caffe"] = "lecun"
    """``lecun``: 6 and 16 maps, 120 and 84 hidden units, which is `lenet`. ``caffe``: 20 and 50, 500."""

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        return Lenet().body(shape) if self.form == "lecun" else _caffe(shape)


def _caffe(shape: Shape) -> tuple[nn.Sequential, int]:
    channels, *sides = shape
    padding = FRAME if min(sides) < PADDED_BELOW else 0
    height, width = (pooled(pooled(side, 0), padding) for side in sides)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(channels, FIRST, KERNEL),
        relu1=nn.ReLU(inplace=True),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(FIRST, SECOND, KERNEL, padding=padding),
        relu2=nn.ReLU(inplace=True),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        hidden1=nn.Linear(SECOND * height * width, HIDDEN),
        relu3=nn.ReLU(inplace=True),
    )
    return nn.Sequential(layers), HIDDEN
