"""Residual networks of four stages, as for ImageNet.

He, Zhang, Ren and Sun (2016): "Deep Residual Learning for Image Recognition", arXiv 1512.03385, table 1. As
usual today a bottleneck strides in its 3x3 convolution, not in its first ("v1.5").
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from workloads.architectures._layers import GlobalAverage, convolution, numbered
from workloads.architectures._residual import Block, shortcut
from workloads.architectures.base import Architecture, Shape

#: How much wider than inside a bottleneck is outside.
WIDENING = 4


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1 ones, beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        width = after // WIDENING
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut(before, after, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps (N, after, H / stride, W / stride)."""
        out = self.relu(self.norm1(self.conv1(maps)))
        out = self.relu(self.norm2(self.conv2(out)))
        summed: Tensor = self.relu(self.norm3(self.conv3(out)) + self.shortcut(maps))
        return summed


@dataclass(frozen=True)
class Resnet(Architecture):
    """Four stages of residual blocks, for images from 8x8 up."""

    smallest: ClassVar[int] = 8
    blocks: ClassVar[tuple[int, int, int, int]]
    """Blocks of each stage."""
    bottleneck: ClassVar[bool] = False
    """Whether the blocks are bottlenecks, whose output is four times as wide."""

    stem: Literal["cifar", "imagenet"] = "cifar"
    """``cifar``: one 3x3 convolution at full size. ``imagenet``: 7x7 with stride 2, then 3x3 max pooling."""
    width: int = 64
    """Channels of the stem and the first stage; each later stage doubles them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if self.stem == "cifar":
            layers["stem"] = convolution(shape[0], self.width, 3)
        else:
            layers["stem"] = convolution(shape[0], self.width, 7, stride=2)
            layers["stem_pool"] = nn.MaxPool2d(3, stride=2, padding=1)
        kind = Bottleneck if self.bottleneck else Block
        before = self.width
        for stage, count in enumerate(self.blocks):
            after = self.width * 2**stage * (WIDENING if self.bottleneck else 1)
            first = kind(before, after, 2 if stage else 1)
            others: list[nn.Module] = [kind(after, after, 1) for _ in range(count - 1)]
            layers[f"stage{stage + 1}"] = numbered("block", [first, *others])
            before = after
        layers["pool"] = GlobalAverage()
        return nn.Sequential(layers), before
