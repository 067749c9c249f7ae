"""MobileNetV2.

Sandler, Howard, Zhu, Zhmoginov and Chen (2018): "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
arXiv 1801.04381, table 2; without the dropout before the head.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import Tensor, nn

from workloads.architectures._layers import GlobalAverage, convolution, numbered
from workloads.architectures.base import Architecture, Shape
from workloads.later import LATER

FIRST, LAST = 32, 1280
#: Of each stage: how much wider a block is inside, channels, blocks, stride of the first.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
#: Stages whose stride the form for small images leaves out, beside the stem's.
UNSTRIDED = 2
#: Channels come in multiples of this; rounding never takes more than a tenth away (the authors' code).
MULTIPLE, LEAST = 8, 0.9


class Block(nn.Module):
    """An inverted residual: 1x1 to more channels, 3x3 within each, 1x1 back without ReLU, and a shortcut."""

    def __init__(self, before: int, after: int, stride: int, widening: int) -> None:
        super().__init__()
        inside = before * widening
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if widening > 1:
            layers["expand"] = convolution(before, inside, 1, relu=nn.ReLU6)
        layers["depthwise"] = convolution(inside, inside, 3, stride=stride, groups=inside, relu=nn.ReLU6)
        layers["project"] = nn.Sequential(
            OrderedDict(conv=nn.Conv2d(inside, after, 1, bias=False), norm=nn.BatchNorm2d(after))
        )
        self.inner = nn.Sequential(layers)
        self.adds = stride == 1 and before == after

    def forward(self, maps: Tensor) -> Tensor:
        """Feature maps (N, after, H / stride, W / stride)."""
        out: Tensor = self.inner(maps)
        return maps + out if self.adds else out


@dataclass(frozen=True)
class MobilenetV2(Architecture):
    """Stacks seven stages of inverted residual blocks, for images from 8x8 up."""

    smallest: ClassVar[int] = 8

    stem: Literal["cifar", "imagenet"] = "cifar"
    """``cifar``: the stem and the second stage keep the size, as usual for small images."""
    width: float = field(default=1.0, metadata=LATER)
    """The paper's width multiplier, of all channels but the last 1280, which only become more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.width > 0:
            raise ValueError(f"width must be positive, got {self.width}")

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        small = self.stem == "cifar"
        before, last = _scaled(FIRST, self.width), _scaled(LAST, max(1.0, self.width))
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            stem=convolution(shape[0], before, 3, stride=1 if small else 2, relu=nn.ReLU6)
        )
        for at, (widening, channels, count, stride) in enumerate(STAGES, start=1):
            after = _scaled(channels, self.width)
            first = Block(before, after, 1 if small and at == UNSTRIDED else stride, widening)
            others: list[nn.Module] = [Block(after, after, 1, widening) for _ in range(count - 1)]
            layers[f"stage{at}"] = numbered("block", [first, *others])
            before = after
        layers |= {"last": convolution(before, last, 1, relu=nn.ReLU6), "pool": GlobalAverage()}
        return nn.Sequential(layers), last


def _scaled(channels: int, width: float) -> int:
    """``channels`` times ``width``, as a multiple of 8."""
    wanted = channels * width
    found = max(MULTIPLE, int(wanted + MULTIPLE / 2) // MULTIPLE * MULTIPLE)
    return found if found >= LEAST * wanted else found + MULTIPLE
