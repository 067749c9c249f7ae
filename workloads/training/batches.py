"""A training split that lives whole on the device, in an order that belongs to the epoch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.datasets.base import Split
from workloads.randomness import stream

LEVELS = 256


@dataclass(frozen=True)
class Batches:
    """Images (N, C, H, W) as uint8 and labels (N,) on one device, taken ``size`` at a time."""

    images: Tensor
    labels: Tensor
    size: int
    seed: int

    @classmethod
    def of(cls, split: Split, size: int, seed: int, device: str) -> Batches:
        """The images of ``split``; a split smaller than one batch is one batch."""
        return cls(split.images.to(device), split.labels.to(device), min(size, len(split)), seed)

    @property
    def per_epoch(self) -> int:
        """Steps of one epoch: what is left over below a whole batch comes in another epoch's order."""
        return len(self.labels) // self.size

    def order(self, epoch: int) -> Tensor:
        """The positions (steps, size) of the images of each batch of ``epoch``."""
        drawn = torch.randperm(len(self.labels), generator=stream(self.seed, "order", epoch))
        return drawn[: self.per_epoch * self.size].view(self.per_epoch, self.size).to(self.images.device)


def as_float(images: Tensor) -> Tensor:
    """Images of uint8 as float32 in [0, 1]; on a GPU with the channels last, as convolutions there prefer."""
    layout = torch.channels_last if images.is_cuda else torch.contiguous_format
    return images.to(torch.float32, memory_format=layout).div_(LEVELS - 1)


def statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of ``images`` (N, C, H, W) of uint8, on the scale [0, 1].

    A channel that never changes gets the deviation 1.
    """
    levels = torch.arange(LEVELS, dtype=torch.float64) / (LEVELS - 1)
    counts = torch.stack(
        [channel.bincount(minlength=LEVELS) for channel in images.transpose(0, 1).flatten(1)]
    )
    shares = counts.double() / counts.sum(1, keepdim=True)
    mean = shares @ levels
    variance = (shares * (levels - mean[:, None]) ** 2).sum(1)
    std = torch.where(variance > 0, variance.sqrt(), 1.0)
    return mean.float(), std.float()
