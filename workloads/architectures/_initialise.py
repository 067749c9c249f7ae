"""The first weights of a network: each layer draws from a stream of its own name.

So adding a layer changes no other layer's weights, and the rows of the known classes are the same with and
without unknown outputs (not with ``glorot``). He et al. (2015): "Delving Deep into Rectifiers", arXiv
1502.01852. Glorot and Bengio (2010): "Understanding the difficulty of training deep feedforward neural
networks", AISTATS.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import nn

from workloads.randomness import stream

#: ``he``: He normal (fan-in, for ReLU), and a head uniform within 1 / sqrt(fan-in). ``glorot``: Glorot
#: uniform everywhere. ``small``: normal with a deviation of 0.02, as transformers start, and the head of
#: ``he``. Biases start at zero, norms as the identity.
Initial = Literal["he", "glorot", "small"]
SMALL = 0.02


class Drawn(nn.Module, ABC):
    """A module with weights of its own, beside those of its layers, that knows how they are drawn."""

    @abstractmethod
    def draw(self, draws: torch.Generator) -> None:
        """Set these weights from ``draws``."""


@torch.no_grad()
def initialise(network: nn.Module, seed: int, initial: Initial = "he") -> None:
    """Set every weight below ``network``, whose classifying layer is called ``head``, from ``seed``.

    Raises:
        TypeError: a layer has weights and there is no rule for its kind.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            draws = stream(seed, "initialise", name)
            if initial == "glorot":
                nn.init.xavier_uniform_(layer.weight, generator=draws)
            elif name == "head":
                bound = layer.weight.shape[1] ** -0.5
                layer.weight.uniform_(-bound, bound, generator=draws)
            elif initial == "small":
                nn.init.normal_(layer.weight, std=SMALL, generator=draws)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=draws)
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.BatchNorm2d | nn.LayerNorm):
            layer.reset_parameters()
        elif isinstance(layer, Drawn):
            layer.draw(stream(seed, "initialise", name))
        elif layer is not network and [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]:
            raise TypeError(f"{name}: there is no rule for the first weights of a {type(layer).__name__}")
