"""A fresh network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from orchestrator.stage import Workspace
from workloads.architectures.base import Architecture
from workloads.datasets.base import Dataset
from workloads.stages._data import learning
from workloads.stages._networks import fresh
from workloads.stages.base import TorchStage


@dataclass(frozen=True)
class Initialise(TorchStage):
    """Draws the first weights of a network; a fresh `train` of the same seed starts from the same ones."""

    version: ClassVar[int] = 2

    architecture: Architecture
    dataset: Dataset
    seed: int
    stream: int = 0
    """Another number gives other weights for the same seed."""

    def compute(self, space: Workspace) -> Mapping[str, float]:
        data = learning(self.dataset, space)
        model = fresh(self.architecture, self.dataset, data, self.seed, self.stream)
        model.publish(space.output)
        return model.cost()
