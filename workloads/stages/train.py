"""Training: fresh or continued, dense or sparse, clean or adversarial."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from orchestrator.identity import name_of
from orchestrator.stage import LATER, Role, Workspace
from workloads.architectures.base import Architecture
from workloads.attacks.base import Attack
from workloads.augmentations.base import Augmentation
from workloads.augmentations.none import NoAugmentation
from workloads.averaging.base import Averaging
from workloads.averaging.last import Last
from workloads.datasets.base import Dataset
from workloads.masks import single_weight_layers
from workloads.objectives.base import Objective
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.optimizers.base import Optimizer
from workloads.optimizers.sgd import Sgd
from workloads.schedules.base import Schedule
from workloads.schedules.cosine import Cosine
from workloads.sparse_training.base import Sparsify
from workloads.sparse_training.fixed import Fixed
from workloads.stages._data import dataset_of, learning, view
from workloads.stages._networks import Model, fresh, read
from workloads.stages._overlap import refuse_outliers
from workloads.stages._ratios import least_sensitive
from workloads.stages.base import TorchStage
from workloads.training.best import Best
from workloads.training.cost import latency
from workloads.training.host import Host
from workloads.training.loop import Trained, train
from workloads.training.partial import kept_statistics
from workloads.training.recipe import Recipe

#: Below this many changes of the topology a sparse training is hardly a dynamic one.
FEW_UPDATES = 10


@dataclass(frozen=True)
class Train(TorchStage):
    """Trains a fresh network, or the one under the role ``model`` with its masks.

    With the table of `sensitivity` under ``sensitivities``, the least sensitive layer alone (RiFT).
    """

    version: ClassVar[int] = 2
    roles: ClassVar[Mapping[str, Role]] = {"model": Role.OPTIONAL, "sensitivities": Role.OPTIONAL}
    parts: ClassVar[tuple[str, ...]] = ("best",)

    seed: int
    epochs: int
    architecture: Architecture | None = None
    """None: that of the network that is read."""
    dataset: Dataset | None = None
    """None: that of the network that is read."""
    batch_size: int = 128
    optimizer: Optimizer = field(default_factory=Sgd)
    schedule: Schedule = field(default_factory=Cosine)
    objective: Objective = field(default_factory=CrossEntropy)
    sparsify: Sparsify = field(default_factory=Fixed)
    augmentation: Augmentation = field(default_factory=NoAugmentation, metadata=LATER)
    averaging: Averaging = field(default_factory=Last, metadata=LATER)
    clip_norm: float | None = field(default=None, metadata=LATER)
    """The length that the gradient of all weights together is cut to in each step; None: as long as it is."""
    start_at: int = field(default=0, metadata=LATER)
    """The step of the schedule it begins with, as if the ones before were done: a rewound network goes on."""
    stop_at: int | None = field(default=None, metadata=LATER)
    """The step of the schedule before which it ends: what a lottery ticket is rewound to. None: the last."""
    only: tuple[str, ...] = field(default=(), metadata=LATER)
    """The layers that learn, ``[hidden1, head]``, while batch norm is as in evaluation; none named: all."""
    best: Attack | None = field(default=None, metadata=LATER)
    """An attack on the validation images: the network with the highest accuracy under it is kept as the part
    ``best``, beside the last one. None: it is not. With an ``epsilon`` of 0 that is the clean accuracy."""
    best_every: int = field(default=1, metadata=LATER)
    """Epochs from one such attack to the next; the last network always is a candidate."""

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.start_at < 0:
            raise ValueError(f"start_at must not be negative, got {self.start_at}")
        if self.stop_at is not None and self.stop_at <= self.start_at:
            raise ValueError(f"stop_at must be above start_at, {self.start_at}, got {self.stop_at}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm must be positive, got {self.clip_norm}")
        if self.best_every < 1:
            raise ValueError(f"best_every must be at least 1 epoch, got {self.best_every}")
        if self.epochs % self.objective.replays:
            raise ValueError(
                f"epochs must be a multiple of the objective's replays, {self.objective.replays}, since they "
                f"count replays of a batch too; got {self.epochs}"
            )
        if self.augmentation.mixes and not self.objective.soft:
            raise ValueError(
                f"an augmentation that mixes labels needs an objective with soft targets (cross_entropy), "
                f"got {type(self.objective).__name__}"
            )
        if self.averaging.begins < self.sparsify.settled and not self.averaging.masked:
            raise ValueError(
                "an averaging window must begin when the topology has stopped changing, at "
                f"{self.sparsify.settled:g} of the training; got {self.averaging.begins:g}"
            )
        if self.architecture is not None:
            self._check_outputs(self.architecture)
        if self.only:
            self._check_partial()

    def _check_partial(self) -> None:
        """Refuse what would change more of the network than the layers that learn."""
        if not isinstance(self.sparsify, Fixed):
            raise ValueError(f"a training of some layers needs sparsify fixed, got {name_of(self.sparsify)}")
        if self.averaging.batch_norm != "keep":
            raise ValueError(
                "a training of some layers needs an averaging with batch_norm keep, got "
                f"{self.averaging.batch_norm}"
            )

    def _check_outputs(self, architecture: Architecture) -> None:
        """Refuse a network that has no unknown output where the objective needs one."""
        if self.objective.unknown and not architecture.unknown_outputs:
            raise ValueError(
                f"{name_of(self.objective)} needs an architecture with unknown_outputs of at least 1, got 0"
            )

    def check(self, reads: Iterable[str]) -> None:
        if "model" not in reads and (self.architecture is None or self.dataset is None):
            raise ValueError("a train that reads no network needs architecture and dataset")
        if self.objective.outliers and self.dataset:
            refuse_outliers(self.dataset, self.objective.outliers[0])
        if "sensitivities" in reads:
            if "model" not in reads or self.only:
                raise ValueError(
                    "a train that reads sensitivities must read a model and name no layers in only, got "
                    f"{list(self.only)} and the roles {', '.join(sorted(reads))}"
                )
            self._check_partial()

    def check_part(self, part: str) -> None:
        if self.best is None:
            raise ValueError(
                f"a train keeps the network {part} only where its field best names an attack, got null"
            )

    def compute(self, space: Workspace) -> Mapping[str, float]:
        before = read(space.inputs["model"], space.device) if "model" in space.inputs else None
        if before:
            before.agree(self.architecture, self.dataset)
        dataset = dataset_of(self.dataset, before.dataset if before else None)
        data = learning(dataset, space)
        if before is None:
            assert self.architecture is not None
            before = fresh(self.architecture, dataset, data, self.seed, stream=0)
        self._check_outputs(before.architecture)
        if self.objective.outliers:
            refuse_outliers(dataset, self.objective.outliers[0])
            view(*self.objective.outliers, before.network.shape, space)
        only = self.only
        if "sensitivities" in space.inputs:
            only = (least_sensitive(space.inputs["sensitivities"]),)
        recipe = Recipe(
            self.epochs,
            self.batch_size,
            self.seed,
            self.optimizer,
            self.schedule,
            self.objective,
            self.sparsify,
            self.augmentation,
            self.averaging,
            self.clip_norm,
            self.start_at,
            self.stop_at,
            only,
            self.best,
            self.best_every,
        )
        host = Host(space.device, space.scratch, space.checkpoint, space.progress)
        started = time.perf_counter()
        with kept_statistics(before.network, only):
            trained = train(recipe, before.network, before.masks, data, host)
        self._measure(trained, time.perf_counter() - started, space)
        after = Model(
            trained.network,
            trained.masks,
            before.architecture,
            dataset,
            before.epochs + trained.epochs,
            before.training_flops + trained.flops,
        )
        after.publish(space.output)
        counts = {"updates": float(trained.updates), "averaged": float(trained.averaged)}
        kept = self._keep(trained.best, before, after, space) if trained.best else {}
        return {**trained.metrics, **after.cost(), **counts, **kept}

    def _keep(self, best: Best, before: Model, after: Model, space: Workspace) -> dict[str, float]:
        """Publish the best network as a part of the output, and say when it was and how robust it is."""
        network = copy.deepcopy(after.network)
        network.load_state_dict(best.tensors)
        folder = space.output / "best"
        folder.mkdir()
        spent = before.epochs + best.epochs, before.training_flops + best.flops
        Model(network, best.masks, after.architecture, after.dataset, *spent).publish(folder)
        return {
            "best.epoch": float(best.epochs),
            "best.validation.robust_accuracy": best.robust_accuracy,
        }

    def _measure(self, trained: Trained, seconds: float, space: Workspace) -> None:
        """Note the speed, and the warnings: a layer hangs by a weight, too few changes, no average."""
        space.measured["latency_seconds"] = latency(trained.network)
        space.measured["steps"] = trained.steps_here  # fewer than planned after an interruption
        if trained.steps_here:
            per_step = seconds / trained.steps_here
            space.measured["seconds_per_epoch"] = per_step * trained.steps / self.epochs
            space.measured["images_per_second"] = trained.batch_size / per_step
        if thin := single_weight_layers(trained.masks):
            space.warnings.append(f"the masks leave a single weight in {', '.join(thin)}")
        if self.sparsify.changes and trained.updates < FEW_UPDATES:
            space.warnings.append(
                f"the topology changed {trained.updates} times in this training of {trained.steps} steps; "
                f"fewer than {FEW_UPDATES} changes hardly tell dynamic from static sparse training"
            )
        if self.averaging.begins < 1 and trained.averaged < 2:  # noqa: PLR2004 - a mean takes two
            space.warnings.append(
                f"the averaging window held the weights of {trained.averaged} moments: nothing was averaged"
            )
