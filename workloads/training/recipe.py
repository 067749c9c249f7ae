"""What a training is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from workloads.attacks.base import Attack
from workloads.augmentations.base import Augmentation
from workloads.augmentations.none import NoAugmentation
from workloads.averaging.base import Averaging
from workloads.averaging.last import Last
from workloads.objectives.base import Objective
from workloads.optimizers.base import Optimizer
from workloads.schedules.base import Schedule
from workloads.sparse_training.base import Sparsify


@dataclass(frozen=True)
class Recipe:
    """What a training is made of, besides the network and the data."""

    epochs: int
    batch_size: int
    seed: int
    optimizer: Optimizer
    schedule: Schedule
    objective: Objective
    sparsify: Sparsify
    augmentation: Augmentation = field(default_factory=NoAugmentation)
    averaging: Averaging = field(default_factory=Last)
    clip_norm: float | None = None
    begin: int = 0
    """The step of the schedule that comes first: the ones before count as done."""
    end: int | None = None
    """The step before which it ends; None: all steps of all epochs."""
    only: tuple[str, ...] = ()
    """The layers that learn; none named: all."""
    best: Attack | None = None
    """The attack under which networks are compared on validation images, to keep the best of them."""
    best_every: int = 1
    """Epochs from one comparison to the next."""
