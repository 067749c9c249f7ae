"""Wide residual networks.

Zagoruyko and Komodakis (2016): "Wide Residual Networks", arXiv 1605.07146. Norm and ReLU come before each
convolution; where the shape changes, the shortcut is a bare 1x1 convolution of what they give. No dropout.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from workloads.architectures._layers import GlobalAverage, numbered
from workloads.architectures.base import Architecture, Shape

#: Channels of the stem; the stages have ``width`` times this, twice this and four times this.
NARROW = 16
#: Convolutions outside the blocks (the stem and three shortcuts), and in three blocks, one in each stage.
OUTSIDE, BLOCKS = 4, 6


class Block(nn.Module):
    """Two 3x3 convolutions of what norm and ReLU give, beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        changes = stride != 1 or before != after
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False) if changes else None

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps (N, after, H / stride, W / stride)."""
        active = self.relu(self.norm1(maps))
        out = self.conv2(self.relu(self.norm2(self.conv1(active))))
        summed: Tensor = out + (maps if self.shortcut is None else self.shortcut(active))
        return summed


@dataclass(frozen=True)
class WideResnet(Architecture):
    """Stacks three stages of wide residual blocks, for images from 8x8 up: WRN-``depth``-``width``."""

    smallest: ClassVar[int] = 8

    depth: int = 28
    """Layers: 6 n + 4 for n blocks in each stage."""
    width: int = 10
    """Multiple of the 16, 32 and 64 channels of a narrow network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth < OUTSIDE + BLOCKS or (self.depth - OUTSIDE) % BLOCKS:
            raise ValueError(
                f"depth must be 6 n + 4 with n at least 1 (10, 16, 22, 28, ...), got {self.depth}"
            )
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        stem = nn.Conv2d(shape[0], NARROW, 3, padding=1, bias=False)
        layers: OrderedDict[str, nn.Module] = OrderedDict(stem=stem)
        before = NARROW
        for stage in range(3):
            after = NARROW * self.width * 2**stage
            first = Block(before, after, 2 if stage else 1)
            count = (self.depth - OUTSIDE) // BLOCKS
            others: list[nn.Module] = [Block(after, after, 1) for _ in range(count - 1)]
            layers[f"stage{stage + 1}"] = numbered("block", [first, *others])
            before = after
        layers |= {"norm": nn.BatchNorm2d(before), "relu": nn.ReLU(inplace=True), "pool": GlobalAverage()}
        return nn.Sequential(layers), before
