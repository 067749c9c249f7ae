"""Layers that several networks are made of."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn


class GlobalAverage(nn.Module):
    """The mean of each feature map; unlike adaptive pooling its gradient is deterministic on every device."""

    def forward(self, maps: Tensor) -> Tensor:
        """Features (N, C) of maps (N, C, H, W)."""
        return maps.mean((2, 3))


def convolution(
    before: int, after: int, kernel: int, *, stride: int = 1, groups: int = 1, relu: type[nn.Module] = nn.ReLU
) -> nn.Sequential:
    """A convolution without bias that keeps the size (over ``stride``), batch norm and ``relu``."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
            norm=nn.BatchNorm2d(after),
            relu=relu(inplace=True),
        )
    )


def numbered(kind: str, layers: list[nn.Module]) -> nn.Sequential:
    """``layers`` one after another, called ``kind`` and their number from 1."""
    return nn.Sequential(OrderedDict((f"{kind}{at}", layer) for at, layer in enumerate(layers, start=1)))
