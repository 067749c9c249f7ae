"""What every network architecture promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from workloads.architectures._initialise import Initial, initialise

#: Channels, height, width.
Shape = tuple[int, int, int]


class Network(nn.Module):
    """A classifier of images in [0, 1]: normalisation, a body, and a linear head of K + unknown outputs.

    ``mean`` and ``std`` (C,) are the training data's statistics, so that attacks work on the pixel box
    and images from elsewhere are normalised as the training images were.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, head: nn.Linear, shape: Shape, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.shape = shape
        self.classes = classes
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("std", torch.ones(shape[0]))

    def features(self, images: Tensor) -> Tensor:
        """Penultimate features (N, D) of ``images`` (N, C, H, W) in [0, 1]."""
        normalised = (images - self.mean[:, None, None]) / self.std[:, None, None]
        out: Tensor = self.body(normalised)
        return out

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K + unknown outputs)."""
        out: Tensor = self.head(self.features(images))
        return out


@dataclass(frozen=True)
class Architecture(ABC):
    """A network's shape, for any input shape and number of classes."""

    version: ClassVar[int] = 1
    smallest: ClassVar[int] = 1
    """The smallest height and width of an image, in pixels."""
    initial: ClassVar[Initial] = "he"
    """How its first weights are drawn."""

    unknown_outputs: int = 0
    """Extra outputs that no training label ever names (Lei et al., 2024)."""

    def __post_init__(self) -> None:
        if self.unknown_outputs < 0:
            raise ValueError(f"unknown_outputs must not be negative, got {self.unknown_outputs}")

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
            network = Network(body, nn.Linear(width, classes + self.unknown_outputs), shape, classes)
        initialise(network, seed, self.initial)
        return network

    @abstractmethod
    def body(self, shape: Shape) -> tuple[nn.Module, int]:
        """The layers from a normalised image (N, C, H, W) to features (N, D), and D."""
