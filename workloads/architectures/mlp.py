"""LeNet-300-100, the multi-layer perceptron of the pruning literature.

LeCun, Bottou, Bengio and Haffner (1998): "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11). With ReLU, as in Han et al. (2015), arXiv 1506.02626.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from torch import nn

from workloads.architectures.base import Architecture, Shape


@dataclass(frozen=True)
class Mlp(Architecture):
    """Stacks fully connected ReLU layers; the first takes all pixels, whatever their number.

    Only the first layer follows the input: 784-300-100 on 28x28 grey images, 64-300-100 on 8x8 ones.
    """

    hidden: tuple[int, ...] = (300, 100)
    """Widths of the hidden layers; none makes it a linear classifier."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden must be widths of at least 1, got {list(self.hidden)}")

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        widths = (prod(shape), *self.hidden)
        layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        for number, (before, after) in enumerate(pairwise(widths), start=1):
            layers[f"hidden{number}"] = nn.Linear(before, after)
            layers[f"relu{number}"] = nn.ReLU(inplace=True)
        return nn.Sequential(layers), widths[-1]
