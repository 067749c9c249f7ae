"""How a network stands up to an attack."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from orchestrator.stage import Role, Workspace
from workloads.attacks.base import Attack as Search
from workloads.datasets.base import Dataset, SplitName
from workloads.metrics.accuracy import accuracy
from workloads.metrics.nll import nll
from workloads.metrics.probabilities import log_probabilities
from workloads.stages._data import dataset_of, view
from workloads.stages._networks import read
from workloads.stages.base import TorchStage
from workloads.training.evaluation import attacked, drawn

#: A larger share of images without any gradient makes an attack by gradients a weak witness.
BLIND = 0.01


@dataclass(frozen=True)
class Attack(TorchStage):
    """Attacks the images of one split and measures what the network under ``model`` still gets right.

    The accuracy is that on the attacked images; those that were wrong before are attacked as well.
    """

    roles: ClassVar[Mapping[str, Role]] = {"model": Role.ONE}

    attack: Search
    dataset: Dataset | None = None
    """None: that of the network."""
    split: SplitName = "test"
    samples: int | None = None
    """Images that are attacked, a fixed draw of the split; None: all."""
    batch_size: int = 256
    seed: int = 0
    """Seeds the attack's random starts."""

    def __post_init__(self) -> None:
        if self.samples is not None and self.samples < 1:
            raise ValueError(f"samples must be at least 1, got {self.samples}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        network = model.network
        seen = view(dataset_of(self.dataset, model.dataset), self.split, network.shape, space)
        batches = torch.split(drawn(len(seen), self.samples), self.batch_size)
        found = attacked(network, self.attack, seen, batches, self.seed)
        clean = log_probabilities(found.clean, network.classes).cpu()
        worst = log_probabilities(found.worst, network.classes).cpu()
        clean_accuracy = accuracy(clean, found.labels)
        self._warn(found.blind, clean_accuracy, len(found.labels), network.classes, space)
        return {
            f"{self.split}.accuracy": accuracy(worst, found.labels),
            f"{self.split}.clean_accuracy": clean_accuracy,
            f"{self.split}.loss": nll(worst, found.labels),
        }

    def _warn(self, blind: float, clean: float, count: int, classes: int, space: Workspace) -> None:
        """Say when the numbers should not be believed."""
        if blind > BLIND:
            space.warnings.append(
                f"{blind:.1%} of the images have an all-zero gradient: there an attack that follows "
                "gradients shows more robustness than there is"
            )
        chance = 1 / classes
        if clean < chance + 2 * math.sqrt(chance * (1 - chance) / count):
            space.warnings.append(
                f"the clean accuracy, {clean:.1%}, is that of chance among {classes} classes"
            )
