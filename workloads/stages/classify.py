"""How well a network, or an ensemble, classifies, and how far its confidence can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import ClassVar, Literal

from torch import Tensor

from orchestrator.stage import LATER, Role, Workspace
from workloads.datasets.base import Dataset, Split, SplitName
from workloads.metrics.accuracy import accuracy
from workloads.metrics.brier import brier
from workloads.metrics.ece import ece
from workloads.metrics.nll import nll
from workloads.metrics.probabilities import log_probabilities, mean_log_probabilities
from workloads.stages._data import dataset_of, view
from workloads.stages._networks import Model, check_one_or_many, check_outputs, members
from workloads.stages.base import TorchStage
from workloads.training.evaluation import forward


@dataclass(frozen=True)
class Classify(TorchStage):
    """Measures accuracy and calibration of the network under ``model``, or of the ensemble under ``models``.

    An ensemble says the mean of its members' probabilities.
    """

    roles: ClassVar[Mapping[str, Role]] = {"model": Role.OPTIONAL, "models": Role.OPTIONAL_LIST}

    dataset: Dataset | None = None
    """None: that of the network; the members of an ensemble must agree."""
    split: SplitName = "test"
    bins: int = 15
    """Bins of the calibration error."""
    view: Literal["known", "all"] = field(default="known", metadata=LATER)
    """Answers among the known classes, or among all outputs: then the answer unknown is an error.

    Either way the probabilities are those over all outputs. It matters to networks with unknown outputs only.
    """

    def __post_init__(self) -> None:
        if self.bins < 1:
            raise ValueError(f"bins must be at least 1, got {self.bins}")

    def check(self, reads: Iterable[str]) -> None:
        check_one_or_many("classify", reads)

    def compute(self, space: Workspace) -> Mapping[str, float]:
        models = members(space)
        first = models[0]
        if self.view == "all":
            check_outputs(models)
        seen = view(dataset_of(self.dataset, first.dataset), self.split, first.network.shape, space)
        belief = mean_log_probabilities([self._belief(model, seen) for model in models])
        return {
            f"{self.split}.accuracy": accuracy(belief, seen.labels),
            f"{self.split}.nll": nll(belief, seen.labels),
            f"{self.split}.brier": brier(belief, seen.labels),
            f"{self.split}.ece": ece(belief, seen.labels, self.bins),
            "density": fmean(model.density for model in models),
        }

    def _belief(self, model: Model, seen: Split) -> Tensor:
        """The log-probabilities (N, answers) of one network."""
        logits = forward(model.network, seen.images)[0]
        answers = model.network.classes if self.view == "known" else logits.shape[1]
        return log_probabilities(logits, answers).cpu()
