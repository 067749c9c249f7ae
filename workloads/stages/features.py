"""The outputs of one forward pass, stored once for all detectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from orchestrator.build import data_of
from orchestrator.stage import LATER, Role, Workspace
from workloads.attacks.base import Attack
from workloads.datasets.base import Dataset, SplitName
from workloads.detectors.base import Outputs
from workloads.metrics.accuracy import accuracy
from workloads.metrics.probabilities import log_probabilities
from workloads.stages._anomalies import check_attackable, loaded
from workloads.stages._data import dataset_of
from workloads.stages._networks import read
from workloads.stages.base import TorchStage
from workloads.training.evaluation import forward
from workloads.training.outputs import save_outputs


@dataclass(frozen=True)
class Features(TorchStage):
    """Stores logits, penultimate features and labels of one split, as the network under ``model`` sees it."""

    roles: ClassVar[Mapping[str, Role]] = {"model": Role.ONE}

    dataset: Dataset | None = None
    """None: that of the network."""
    split: SplitName = "test"
    attack: Attack | None = field(default=None, metadata=LATER)
    """The images are seen after this attack; all of them are attacked, also those that were wrong before."""
    seed: int = field(default=0, metadata=LATER)
    """Seeds the attack's random starts."""

    def __post_init__(self) -> None:
        if self.dataset is not None:
            check_attackable(self.dataset, self.attack)

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        dataset = dataset_of(self.dataset, model.dataset)
        network = model.network
        seen = loaded(dataset, self.split, network, space, attack=self.attack, seed=self.seed)
        logits, features = forward(network, seen.images)
        head = network.head
        bias = head.weight.new_zeros(head.out_features) if head.bias is None else head.bias
        outputs = Outputs(logits, features, seen.labels, network.classes, head.weight, bias)
        origin = {"dataset": data_of(dataset), "split": self.split}
        if self.attack is None:
            save_outputs(space.output, outputs, origin)
            return {"images": float(len(seen))}
        save_outputs(space.output, outputs, origin | {"attack": data_of(self.attack)})
        right = log_probabilities(logits, network.classes).cpu()
        return {"images": float(len(seen)), "accuracy": accuracy(right, seen.labels)}
