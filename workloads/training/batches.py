"""A training split in batches, in an order that belongs to the epoch.

A split that is small enough lives whole on the device. A larger one stays where it is, in memory or mapped
from a file: a thread gathers the next batch while the device works on this one. What a batch holds is the
same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from workloads.datasets.base import Split
from workloads.randomness import stream

LEVELS = 256
#: Bytes of images up to which a CPU gathers a batch when it needs it: so many stay in the system's cache even
#: if they are mapped from a file, and a thread would gain nothing.
CPU_BYTES = 2 << 30
#: The part of a GPU's free memory that the images of a training may take; several trainings share a GPU.
GPU_SHARE = 4
#: Images counted at once by `statistics`, so that a mapped file is never whole in memory.
CHUNK = 4096


class Taken(NamedTuple):
    """One batch on the device: positions (N,) in the split, images (N, C, H, W) of uint8, labels (N,)."""

    samples: Tensor
    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Batches:
    """Images (N, C, H, W) as uint8 and labels (N,), taken ``size`` at a time to one device."""

    images: Tensor
    labels: Tensor
    size: int
    seed: int
    device: str
    ahead: bool = False
    """Whether the images stay where they are and a thread gathers them one batch ahead."""
    replays: int = 1
    """Steps in a row that take the same batch."""

    @classmethod
    def of(cls, split: Split, size: int, seed: int, device: str, replays: int = 1) -> Batches:
        """The images of ``split``; a split smaller than one batch is one batch."""
        ahead = split.images.nbytes > room(device)
        images, labels = split.images, split.labels
        if not ahead:
            images, labels = images.to(device), labels.to(device)
        return cls(images, labels, min(size, len(split)), seed, device, ahead, replays)

    @property
    def per_epoch(self) -> int:
        """Steps of one epoch: what is left over below a whole batch comes in another epoch's order."""
        return len(self.labels) // self.size

    def pass_of(self, step: int) -> int:
        """Which pass over the split ``step`` belongs to, from 0: its epoch, where no batch is replayed."""
        return step // self.replays // self.per_epoch

    def order(self, number: int) -> Tensor:
        """The positions (batches, size) of the images of each batch of the pass ``number``."""
        drawn = torch.randperm(len(self.labels), generator=stream(self.seed, "order", number))
        return drawn[: self.per_epoch * self.size].view(self.per_epoch, self.size).to(self.images.device)

    def steps(self, first: int, end: int) -> Iterator[Taken]:
        """The batches of the steps from ``first`` to before ``end``, counted over all epochs."""
        if self.ahead:
            yield from self._ahead(first, end)
        else:
            for samples in self._positions(first, end):
                yield self._gathered(samples)

    def _positions(self, first: int, end: int) -> Iterator[Tensor]:
        """The positions (size,) of the images of each of the steps."""
        for step in range(first, end):
            place = step // self.replays % self.per_epoch
            if step == first or step % (self.replays * self.per_epoch) == 0:
                order = self.order(self.pass_of(step))
            yield order[place]

    def _gathered(self, samples: Tensor) -> Taken:
        """The batch at ``samples``, where the split lives."""
        return Taken(samples, self.images[samples], self.labels[samples])

    def _ahead(self, first: int, end: int) -> Iterator[Taken]:
        """As `steps`: while one batch is worked on, the next is gathered."""
        with ThreadPoolExecutor(1, "batches") as thread:
            coming: Future[Taken] | None = None
            for samples in self._positions(first, end):
                ready, coming = coming, thread.submit(self._pinned, samples)
                if ready:
                    yield self._sent(ready)
            if coming:
                yield self._sent(coming)

    def _pinned(self, samples: Tensor) -> Taken:
        """The batch at ``samples``, for a GPU in memory that it can copy from by itself."""
        taken = self._gathered(samples)
        return Taken(*(part.pin_memory() for part in taken)) if self.device != "cpu" else taken

    def _sent(self, taken: Future[Taken]) -> Taken:
        """The batch on the device; nobody waits for the copy."""
        return Taken(*(part.to(self.device, non_blocking=True) for part in taken.result()))


def room(device: str) -> int:
    """Bytes of images up to which a split lives whole on ``device``."""
    if device == "cpu":
        return CPU_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    return free // GPU_SHARE


def statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of ``images`` (N, C, H, W) of uint8, on the scale [0, 1].

    A channel that never changes gets the deviation 1.
    """
    levels = torch.arange(LEVELS, dtype=torch.float64) / (LEVELS - 1)
    counts = torch.zeros(images.shape[1], LEVELS, dtype=torch.int64)
    for part in torch.split(images, CHUNK):
        for count, channel in zip(counts, part.transpose(0, 1).flatten(1), strict=True):
            count.add_(channel.bincount(minlength=LEVELS))
    shares = counts.double() / counts.sum(1, keepdim=True)
    mean = shares @ levels
    variance = (shares * (levels - mean[:, None]) ** 2).sum(1)
    std = torch.where(variance > 0, variance.sqrt(), 1.0)
    return mean.float(), std.float()
