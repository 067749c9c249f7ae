"""How a network stands up to an attack."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from orchestrator.stage import LATER, Role, Workspace
from workloads.architectures.base import Network
from workloads.attacks.base import Attack as Search
from workloads.datasets.base import Dataset, SplitName
from workloads.metrics.accuracy import accuracy
from workloads.metrics.nll import nll
from workloads.metrics.probabilities import log_probabilities
from workloads.stages._anomalies import check_attackable
from workloads.stages._data import dataset_of, view
from workloads.stages._networks import read
from workloads.stages.base import TorchStage
from workloads.training.evaluation import Attacked, attacked, drawn
from workloads.training.suspicion import suspicions

#: A larger share of images without any gradient makes an attack by gradients a weak witness.
BLIND = 0.01


@dataclass(frozen=True)
class Attack(TorchStage):
    """Attacks the images of one split and measures what the network under ``model`` still gets right.

    An image that was wrong before counts as wrong and is not attacked. A network with unknown outputs is
    attacked twice, on its known classes, by which it is judged, and on all outputs; the worse image counts.
    """

    version: ClassVar[int] = 2
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
    suspect: bool = field(default=True, metadata=LATER)
    """Ask whether the attack was too weak, and warn: do more steps help, does a random search, does an attack
    without bounds leave images? Each question is put to 16 to 64 of the images that still stand."""

    def __post_init__(self) -> None:
        if self.samples is not None and self.samples < 1:
            raise ValueError(f"samples must be at least 1, got {self.samples}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.dataset is not None:
            check_attackable(self.dataset, self.attack)

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        network = model.network
        dataset = dataset_of(self.dataset, model.dataset)
        check_attackable(dataset, self.attack)
        seen = view(dataset, self.split, network.shape, space)
        places = drawn(len(seen), self.samples)
        found = attacked(network, self.attack, seen, places, batch_size=self.batch_size, seed=self.seed)
        clean = log_probabilities(found.clean, network.classes).cpu()
        worst = log_probabilities(found.worst, network.classes).cpu()
        clean_accuracy = accuracy(clean, found.labels)
        space.warnings.extend(self._warnings(found, clean_accuracy, network))
        if self.suspect:
            space.warnings.extend(suspicions(network, self.attack, seen, places, found, seed=self.seed))
        return {
            f"{self.split}.accuracy": accuracy(worst, found.labels),
            f"{self.split}.clean_accuracy": clean_accuracy,
            f"{self.split}.loss": nll(worst, found.labels),
        }

    def _warnings(self, found: Attacked, clean: float, network: Network) -> Iterator[str]:
        """Why the numbers should not be believed, or with care."""
        if found.blind > BLIND:
            yield (
                f"{found.blind:.1%} of the images have an all-zero gradient: there an attack that follows "
                "gradients shows more robustness than there is"
            )
        classes, outputs = network.classes, found.clean.shape[1]
        chance = 1 / classes
        if clean < chance + 2 * math.sqrt(chance * (1 - chance) / len(found.labels)):
            yield f"the clean accuracy, {clean:.1%}, is that of chance among {classes} classes"
        if outputs > classes:
            yield (
                f"the network has {outputs} outputs for {classes} classes: it was attacked on its classes "
                "and once more on all outputs, and the worse of the two counts"
            )
        if found.batch_size < self.batch_size:
            yield (
                f"the memory did not hold {self.batch_size} images at once, so {found.batch_size} were "
                "attacked at once; a smaller batch_size does that from the start"
            )
