"""What every network architecture promises."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from workloads.architectures._channels import Channels
from workloads.architectures._initialise import Initial, initialise

#: Channels, height, width.
Shape = tuple[int, int, int]

#: The layers of a body whose outputs are its feature maps.
MAPPED = re.compile(r"(stage|block|relu)\d+")


class Network(nn.Module):
    """A classifier of images in [0, 1]: normalisation, a body, and a linear head of K + unknown outputs.

    ``mean`` and ``std`` (C,) are the training data's statistics, so that attacks work on the pixel box
    and images from elsewhere are normalised as the training images were.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Sequential, head: nn.Linear, shape: Shape, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.shape = shape
        self.classes = classes
        self.channels: Channels = {}
        """Which channels of its architecture it has left; a side that is not named is whole."""
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("std", torch.ones(shape[0]))

    def features(self, images: Tensor) -> Tensor:
        """Penultimate features (N, D) of ``images`` (N, C, H, W) in [0, 1]."""
        out: Tensor = self.body(self._normalised(images))
        return out

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """What the layers of the body pass on, from first to last: maps (N, C, H, W), or (N, D), or tokens.

        A residual network has one per stage, a plain one per activation; a linear classifier has none.
        """
        maps, out = [], self._normalised(images)
        for name, layer in self.body.named_children():
            out = layer(out)
            if MAPPED.fullmatch(name):
                maps.append(out)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K + unknown outputs)."""
        out: Tensor = self.head(self.features(images))
        return out

    def _normalised(self, images: Tensor) -> Tensor:
        return (images - self.mean[:, None, None]) / self.std[:, None, None]


@dataclass(frozen=True)
class Architecture(ABC):
    """A network's shape, for any input shape and number of classes."""

    version: ClassVar[int] = 1
    smallest: ClassVar[int] = 1
    """The smallest height and width of an image, in pixels."""

    unknown_outputs: int = 0
    """Extra outputs that no training label ever names (Lei et al., 2024)."""

    def __post_init__(self) -> None:
        if self.unknown_outputs < 0:
            raise ValueError(f"unknown_outputs must not be negative, got {self.unknown_outputs}")

    @property
    def initial(self) -> Initial:
        """How its first weights are drawn; a hook, and an architecture may have a field of this name."""
        return "he"

    @property
    def head_bias(self) -> bool:
        """Whether the classifying layer has biases; a hook with the usual answer."""
        return True

    @final
    def network(self, shape: Shape, classes: int, seed: int) -> Network:
        """A freshly initialised network on the CPU; each layer draws from a stream of its own name.

        Raises:
            ValueError: the architecture cannot take images of ``shape``, or there is no class.
        """
        if min(shape) < 1 or min(shape[1:]) < self.smallest:
            raise ValueError(
                f"{type(self).__name__} takes images (channels, height, width) of at least "
                f"{self.smallest}x{self.smallest} pixels, got {shape}"
            )
        if classes < 1:
            raise ValueError(f"a classifier needs at least one class, got {classes}")
        # torch draws first weights from the global stream, which is put back. (The meta device draws none,
        # but its first use in a process imports sympy: 1.7 s.)
        with torch.random.fork_rng(devices=[]):
            body, width = self.body(shape)
            head = nn.Linear(width, classes + self.unknown_outputs, bias=self.head_bias)
            network = Network(body, head, shape, classes)
        initialise(network, seed, self.initial)
        return network

    @abstractmethod
    def body(self, shape: Shape) -> tuple[nn.Sequential, int]:
        """The layers from a normalised image (N, C, H, W) to features (N, D), and D."""
