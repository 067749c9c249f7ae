"""Conv-6, the six-layer VGG of the lottery-ticket literature.

Frankle and Carbin (2019): "The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks", arXiv
1803.03635, figure 2: 2,261,184 weights on 3x32x32 images of 10 classes.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from workloads.architectures.base import Architecture, Shape

STAGES, HIDDEN = 3, 256


@dataclass(frozen=True)
class Conv6(Architecture):
    """Stacks three pooled pairs of 3x3 convolutions and two hidden layers, for images from 8x8 up."""

    smallest: ClassVar[int] = 8

    width: int = 64
    """Channels of the first pair; the others have twice and four times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        before, height, width = shape
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for stage in range(STAGES):
            after = self.width * 2**stage
            layers[f"stage{stage + 1}"] = nn.Sequential(
                OrderedDict(
                    conv1=nn.Conv2d(before, after, 3, padding=1),
                    relu1=nn.ReLU(inplace=True),
                    conv2=nn.Conv2d(after, after, 3, padding=1),
                    relu2=nn.ReLU(inplace=True),
                    pool=nn.MaxPool2d(2),
                )
            )
            before, height, width = after, height // 2, width // 2
        layers |= {
            "flatten": nn.Flatten(),
            "hidden1": nn.Linear(before * height * width, HIDDEN),
            "relu1": nn.ReLU(inplace=True),
            "hidden2": nn.Linear(HIDDEN, HIDDEN),
            "relu2": nn.ReLU(inplace=True),
        }
        return nn.Sequential(layers), HIDDEN
