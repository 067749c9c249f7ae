"""The outputs of one forward pass, stored once for all detectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from orchestrator.build import data_of
from orchestrator.stage import LATER, Role, Workspace
from workloads.attacks.base import Attack
from workloads.datasets.base import Dataset, SplitName
from workloads.metrics.accuracy import accuracy
from workloads.metrics.probabilities import log_probabilities
from workloads.stages._anomalies import check_attackable, loaded
from workloads.stages._data import dataset_of
from workloads.stages._networks import check_one_or_many, check_outputs, members
from workloads.stages.base import TorchStage
from workloads.training.outputs import digest_of_head, mean_outputs, outputs_of, save_outputs


@dataclass(frozen=True)
class Features(TorchStage):
    """Stores logits, penultimate features and labels of one split, as the network under ``model`` sees it.

    Of the ensemble under ``models`` it stores the logarithms of its members' mean probabilities as logits,
    and no features.
    """

    roles: ClassVar[Mapping[str, Role]] = {"model": Role.OPTIONAL, "models": Role.OPTIONAL_LIST}

    dataset: Dataset | None = None
    """None: that of the network; the members of an ensemble must agree."""
    split: SplitName = "test"
    attack: Attack | None = field(default=None, metadata=LATER)
    """The images are seen after this attack; all of them are attacked, also those that were wrong before."""
    seed: int = field(default=0, metadata=LATER)
    """Seeds the attack's random starts."""

    def __post_init__(self) -> None:
        if self.dataset is not None:
            check_attackable(self.dataset, self.attack)

    def check(self, reads: Iterable[str]) -> None:
        check_one_or_many("features", reads)
        if self.attack is not None and "models" in reads:
            raise ValueError("an attack is on one network, and features of an ensemble take none")

    def compute(self, space: Workspace) -> Mapping[str, float]:
        models = members(space)
        network = models[0].network
        dataset = dataset_of(self.dataset, models[0].dataset)
        seen = loaded(dataset, self.split, network, space, attack=self.attack, seed=self.seed)
        origin = {"dataset": data_of(dataset), "split": self.split}
        if "models" in space.inputs:
            check_outputs(models)
            outputs = mean_outputs([model.network for model in models], seen)
            heads = [digest_of_head(model.network) for model in models]
            save_outputs(space.output, outputs, origin | {"members": heads})
            return {"images": float(len(seen))}
        outputs = outputs_of(network, seen)
        if self.attack is None:
            save_outputs(space.output, outputs, origin)
            return {"images": float(len(seen))}
        save_outputs(space.output, outputs, origin | {"attack": data_of(self.attack)})
        right = log_probabilities(outputs.logits, network.classes).cpu()
        return {"images": float(len(seen)), "accuracy": accuracy(right, seen.labels)}
