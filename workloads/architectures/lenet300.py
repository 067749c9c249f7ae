"""LeNet-300-100 as the lottery tickets of adversarial training use it: with or without biases.

LeCun, Bottou, Bengio and Haffner (1998): "Gradient-based learning applied to document recognition",
Proceedings of the IEEE 86(11). Cosentino, Zaiter, Pei and Zhu (2019): "The Search for Sparse, Robust Neural
Networks", arXiv 1912.02386, leave out all biases, also the head's (266,200 weights on 28x28 grey images), and
draw the first weights as Glorot and Bengio (2010).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from typing import Literal

from torch import nn

from workloads.architectures.base import Architecture, Shape

FIRST, SECOND = 300, 100


@dataclass(frozen=True)
class Lenet300(Architecture):
    """Stacks hidden layers of 300 and 100 units; with biases it is what `mlp` is by default."""

    bias: bool = True
    """Whether the layers, the head among them, have biases."""
    initial: Literal["he", "glorot"] = "he"
    """How the first weights are drawn: He et al. (2015), or Glorot and Bengio (2010), uniform."""

    @property
    def head_bias(self) -> bool:
        return self.bias

    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            flatten=nn.Flatten(),
            hidden1=nn.Linear(prod(shape), FIRST, bias=self.bias),
            relu1=nn.ReLU(inplace=True),
            hidden2=nn.Linear(FIRST, SECOND, bias=self.bias),
            relu2=nn.ReLU(inplace=True),
        )
        return nn.Sequential(layers), SECOND
