"""Densely connected networks for small images, with bottlenecks and compression: DenseNet-BC.

Huang, Liu, van der Maaten and Weinberger (2017): "Densely Connected Convolutional Networks", arXiv
1608.06993; without dropout.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from workloads.architectures._layers import GlobalAverage, numbered
from workloads.architectures.base import Architecture, Shape

#: Channels inside a layer and of the stem, in multiples of the growth; how much a transition narrows.
INSIDE, STEM, COMPRESSION = 4, 2, 2
STAGES = 3
#: Layers outside the stages (stem, two transitions, head), and in three dense layers, one in each stage.
OUTSIDE, LAYERS = 4, 6


class Layer(nn.Module):
    """Puts ``growth`` new maps, of 1x1 and 3x3 convolutions, beside those it is given."""

    def __init__(self, before: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, INSIDE * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(INSIDE * growth)
        self.conv2 = nn.Conv2d(INSIDE * growth, growth, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps (N, before + growth, H, W)."""
        inside = self.conv1(self.relu(self.norm1(maps)))
        return torch.cat([maps, self.conv2(self.relu(self.norm2(inside)))], 1)


@dataclass(frozen=True)
class Densenet(Architecture):
    """Stacks three stages in which each layer sees all before it, for images from 8x8 up."""

    smallest: ClassVar[int] = 8

    depth: int = 100
    """Layers: 6 n + 4 for n dense layers, of two convolutions each, in each stage."""
    growth: int = 12
    """Maps that a dense layer adds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth < OUTSIDE + LAYERS or (self.depth - OUTSIDE) % LAYERS:
            raise ValueError(f"depth must be 6 n + 4 with n at least 1 (10, 40, 100, ...), got {self.depth}")
        if self.growth < 1:
            raise ValueError(f"growth must be at least 1, got {self.growth}")

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        channels = STEM * self.growth
        stem = nn.Conv2d(shape[0], channels, 3, padding=1, bias=False)
        layers: OrderedDict[str, nn.Module] = OrderedDict(stem=stem)
        count = (self.depth - OUTSIDE) // LAYERS
        for stage in range(1, STAGES + 1):
            dense: list[nn.Module] = [Layer(channels + at * self.growth, self.growth) for at in range(count)]
            layers[f"stage{stage}"] = numbered("layer", dense)
            channels += count * self.growth
            if stage < STAGES:
                layers[f"transition{stage}"] = _transition(channels)
                channels //= COMPRESSION
        layers |= {"norm": nn.BatchNorm2d(channels), "relu": nn.ReLU(inplace=True), "pool": GlobalAverage()}
        return nn.Sequential(layers), channels


def _transition(channels: int) -> nn.Sequential:
    """Half as many maps of half the size."""
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(channels),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(channels, channels // COMPRESSION, 1, bias=False),
            pool=nn.AvgPool2d(2),
        )
    )
