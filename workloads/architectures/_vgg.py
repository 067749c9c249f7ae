"""VGG networks with batch norm.

Simonyan and Zisserman (2015): "Very Deep Convolutional Networks for Large-Scale Image Recognition", arXiv
1409.1556, table 1, with batch norm after every convolution, and without the dropout before hidden layers.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn

from workloads.architectures._layers import GlobalAverage
from workloads.architectures.base import Architecture, Shape

#: Channels of the five stages, in multiples of the width.
MULTIPLES = (1, 2, 4, 8, 8)
#: Side of the pooled maps and width of the two hidden layers in the form for ImageNet.
POOLED, HIDDEN = 7, 4096


@dataclass(frozen=True)
class Vgg(Architecture):
    """Five stages of 3x3 convolutions, each with max pooling at its end, for images from 8x8 up."""

    smallest: ClassVar[int] = 8
    convolutions: ClassVar[tuple[int, int, int, int, int]]
    """Convolutions of each stage."""

    classifier: Literal["cifar", "imagenet"] = "cifar"
    """``cifar``: the head stands on the mean of the last maps. ``imagenet``: on two hidden layers of 4096."""
    width: int = 64
    """Channels of the first stage; the others have 2, 4, 8 and 8 times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        before = shape[0]
        for at, (count, multiple) in enumerate(zip(self.convolutions, MULTIPLES, strict=True), start=1):
            after = self.width * multiple
            layers[f"stage{at}"] = _stage(before, after, count)
            before = after
        if self.classifier == "cifar":
            layers["pool"] = GlobalAverage()
            return nn.Sequential(layers), before
        layers |= {
            "pool": nn.AdaptiveAvgPool2d(POOLED),
            "flatten": nn.Flatten(),
            "hidden1": nn.Linear(before * POOLED**2, HIDDEN),
            "relu1": nn.ReLU(inplace=True),
            "hidden2": nn.Linear(HIDDEN, HIDDEN),
            "relu2": nn.ReLU(inplace=True),
        }
        return nn.Sequential(layers), HIDDEN


def _stage(before: int, after: int, count: int) -> nn.Sequential:
    """Convolutions at one size, then pooling; an odd size is rounded up, so that no map comes out empty."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for at in range(1, count + 1):
        layers[f"conv{at}"] = nn.Conv2d(before if at == 1 else after, after, 3, padding=1)
        layers[f"norm{at}"] = nn.BatchNorm2d(after)
        layers[f"relu{at}"] = nn.ReLU(inplace=True)
    layers["pool"] = nn.MaxPool2d(2, ceil_mode=True)
    return nn.Sequential(layers)
