"""What every out-of-distribution detector promises that asks the network itself, not its stored outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets._conversion import as_float

#: Images (N, C, H, W), on the pixel scale [0, 1] -> scores (N / images_per_score,), higher = more anomalous.
Scorer = Callable[[Tensor], Tensor]
#: Takes a sentence that must travel with the numbers.
Say = Callable[[str], None]


@dataclass(frozen=True)
class Seen:
    """Images (N, C, H, W) and labels (N,) as they lie in a split, and the device that looks at them."""

    images: Tensor
    labels: Tensor
    device: torch.device

    def __len__(self) -> int:
        return len(self.labels)

    def parts(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images on the pixel scale [0, 1] with labels, ``size`` at a time, on the device."""
        for images, labels in zip(
            torch.split(self.images, size), torch.split(self.labels, size), strict=True
        ):
            yield as_float(images.to(self.device)), labels.to(self.device)


@dataclass(frozen=True)
class NetworkDetector(ABC):
    """A way to tell that images are not like the training images, by what they do to the network."""

    version: ClassVar[int] = 1

    @property
    def images_per_score(self) -> int:
        """How many images, one after another, get one score together; a hook with the usual answer."""
        return 1

    @abstractmethod
    def fit(self, network: Network, train: Seen, say: Say) -> Scorer:
        """A scorer: higher = more anomalous.

        ``train`` are the training images, without augmentation, with their labels. The caller sets the
        network's mode, evaluation, and hands the scorer whole groups of `images_per_score` images. Scores are
        float64, without a graph.
        """
