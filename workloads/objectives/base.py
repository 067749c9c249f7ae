"""What every objective promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets.base import Dataset, SplitName


@dataclass(frozen=True)
class Batch:
    """One step's images (N, C, H, W) in [0, 1], labels (N,), and where in the training it stands."""

    images: Tensor
    labels: Tensor
    samples: Tensor
    """Positions (N,) of the images in the training split: per-sample noise is seeded by them."""
    seed: int
    """Changes with every step; with ``samples`` it seeds whatever is random in the objective."""
    step: int
    steps: int
    epoch: int
    epochs: int
    targets: Tensor | None = None
    """Soft targets (N, K) where an augmentation mixes labels: only for objectives that are `soft`."""
    attacked: Tensor | None = None
    """The images (N, C, H, W) as they were attacked, once `Objective.prepared` has done that."""


#: A data set and its split.
Outliers = tuple[Dataset, SplitName]


@dataclass(frozen=True)
class Objective(ABC):
    """What a training minimises."""

    version: ClassVar[int] = 1

    @property
    def soft(self) -> bool:
        """Whether it takes soft targets where a batch has them: a hook, False here."""
        return False

    @property
    def unknown(self) -> bool:
        """Whether it needs a network with unknown outputs: a hook, False here."""
        return False

    @property
    def outliers(self) -> Outliers | None:
        """The images from elsewhere that it learns from: a hook, None here."""
        return None

    @property
    def replays(self) -> int:
        """How many steps in a row are given the same batch: a hook, 1 here, and it may be a field."""
        return 1

    def prepared(self, network: Network, batch: Batch) -> Batch:
        """``batch`` with what must be searched for before its loss is known, unless it has that: a hook.

        An objective that attacks images does it here, so that one that wraps it asks for two losses of the
        same images. The network is left as it was.
        """
        return batch

    @abstractmethod
    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        """The scalar loss of one batch; the network is in training mode and is left in it.

        ``memory`` is empty at the first step; what the objective puts there is checkpointed and comes back.
        """
