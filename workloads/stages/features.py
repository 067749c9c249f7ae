"""The outputs of one forward pass, stored once for all detectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from orchestrator.build import data_of
from orchestrator.stage import Role, Workspace
from workloads.datasets.base import Dataset, SplitName
from workloads.detectors.base import Outputs
from workloads.stages._data import dataset_of, view
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

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        dataset = dataset_of(self.dataset, model.dataset)
        network = model.network
        seen = view(dataset, self.split, network.shape, space)
        logits, features = forward(network, seen.images)
        head = network.head
        bias = head.weight.new_zeros(head.out_features) if head.bias is None else head.bias
        outputs = Outputs(logits, features, seen.labels, network.classes, head.weight, bias)
        save_outputs(space.output, outputs, {"dataset": data_of(dataset), "split": self.split})
        return {"images": float(len(seen))}
