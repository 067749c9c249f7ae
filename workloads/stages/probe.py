"""How well a detector that asks the network itself finds anomalous images, alone or in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from orchestrator.stage import Planned, Role, Workspace
from workloads.attacks.base import Attack
from workloads.datasets.base import Dataset, SplitName
from workloads.network_detectors.base import NetworkDetector
from workloads.stages._anomalies import check_attackable, loaded
from workloads.stages._data import view
from workloads.stages._detection import Positive, measures
from workloads.stages._networks import read
from workloads.stages._overlap import dataset_read, note_overlap, refuse_learned, refuse_overlap
from workloads.stages.base import TorchStage
from workloads.training.probing import mixed, probed


@dataclass(frozen=True)
class Probe(TorchStage):
    """Has a detector tell images of ``dataset`` from the network's own, by asking the one under ``model``.

    A detector may score several images together: then they are all of one side, drawn by ``seed``, and every
    rate is one of batches. What is left over below a whole batch is not scored.
    """

    roles: ClassVar[Mapping[str, Role]] = {"model": Role.ONE}

    detector: NetworkDetector
    dataset: Dataset | None = None
    """The images to find. None: the network's own, which takes an attack."""
    attack: Attack | None = None
    """Find images after this attack; all of them are attacked, also those that were wrong before."""
    inside: Dataset | None = None
    """The images to let through. None: those of the network's own set."""
    split: SplitName = "test"
    samples: int | None = None
    """Images of each side, drawn by the seed; None: all."""
    seed: int = 0
    """Draws which images come together in a batch, and the attack's random starts."""
    allow_overlap: tuple[str, ...] = ()
    """Names of data sets that may be ``dataset`` though classes of theirs are inside; with a warning."""
    positive: Positive = "inside"
    """The side of which FPR95 finds 95 %, as in ``detect``."""

    def __post_init__(self) -> None:
        if self.samples is not None and self.samples < 1:
            raise ValueError(f"samples must be at least 1, got {self.samples}")
        if self.dataset is None and self.attack is None:
            raise ValueError("probe needs a dataset to find, or an attack on the network's own")
        if self.dataset is not None:
            check_attackable(self.dataset, self.attack)

    def check_inputs(self, inputs: Mapping[str, Sequence[Planned]]) -> None:
        own = dataset_read(inputs["model"][0])
        if own and self.attack is None:
            refuse_overlap(self.inside or own, self.dataset or own, self.allow_overlap)
        if self.dataset:
            refuse_learned(inputs["model"][0], self.dataset, self.allow_overlap)

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        network, own = model.network, model.dataset
        inside, outside = self.inside or own, self.dataset or own

        def places(count: int) -> Tensor:
            return mixed(count, self.samples, self.seed)

        known = loaded(inside, self.split, network, space, places=places)
        asked = loaded(outside, self.split, network, space, attack=self.attack, seed=self.seed, places=places)
        train = view(own, "train", network.shape, space)
        found = probed(self.detector, network, train, known, asked)
        space.warnings.extend(found.doubts)
        if self.attack is None:
            note_overlap(inside, outside, self.allow_overlap, space)
        counts = {"scores_inside": float(len(found.inside)), "scores_outside": float(len(found.outside))}
        return measures(found.inside, found.outside, found.right, self.positive, space) | counts
