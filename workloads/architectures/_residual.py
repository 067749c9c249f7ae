"""Residual networks for small images: a 3x3 stem and three stages of basic blocks.

He, Zhang, Ren and Sun (2016): "Deep Residual Learning for Image Recognition", arXiv 1512.03385, section 4.2.
Where a stage changes the shape, the shortcut is a 1x1 convolution with batch norm (the paper's option B),
which pruning treats like any other weight; this is the form with the often quoted 272,474 parameters of
ResNet-20. The paper's own CIFAR networks pad the shortcut with zero channels (option A): 269,722.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from workloads.architectures._layers import GlobalAverage, convolution
from workloads.architectures.base import Architecture, Shape


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = shortcut(before, after, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps (N, after, H / stride, W / stride)."""
        out = self.relu(self.norm1(self.conv1(maps)))
        summed: Tensor = self.relu(self.norm2(self.conv2(out)) + self.shortcut(maps))
        return summed


def shortcut(before: int, after: int, stride: int) -> nn.Module:
    """The way beside a block: nothing, or a 1x1 convolution with batch norm where the shape changes."""
    if stride == 1 and before == after:
        return nn.Identity()
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(before, after, 1, stride, bias=False),
            norm=nn.BatchNorm2d(after),
        )
    )


def residual(channels: int, width: int, blocks: int) -> tuple[nn.Sequential, int]:
    """A body with ``blocks`` blocks in each stage and its width.

    The stages have ``width``, twice and four times as many channels.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=convolution(channels, width, 3))
    before = width
    for stage in range(3):
        after = width * 2**stage
        layers[f"stage{stage + 1}"] = nn.Sequential(
            OrderedDict(
                (
                    f"block{block + 1}",
                    Block(after if block else before, after, 2 if stage and not block else 1),
                )
                for block in range(blocks)
            )
        )
        before = after
    layers["pool"] = GlobalAverage()
    return nn.Sequential(layers), before


@dataclass(frozen=True)
class SmallResidual(Architecture):
    """Three stages of as many blocks as its kind says, for images from 8x8 up."""

    smallest: ClassVar[int] = 8
    blocks: ClassVar[int]
    """Blocks of a stage: n for 6 n + 2 layers."""

    width: int = 16
    """Channels of the first stage; the others have twice and four times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        return residual(shape[0], self.width, self.blocks)
