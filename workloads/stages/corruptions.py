"""How a network stands up to common corruptions: all of them, with one loading of the network.

Hendrycks and Dietterich (2019): "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", arXiv 1903.12261.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar, Literal, get_args

from orchestrator.identity import to_json
from orchestrator.stage import Role, Workspace
from workloads.datasets._conversion import digest_of
from workloads.datasets._corruptions import Corruption, check_severity
from workloads.datasets._corruptions_official import official
from workloads.datasets.base import Dataset, Split, SplitName
from workloads.datasets.corrupted import Corrupted
from workloads.metrics.accuracy import accuracy
from workloads.metrics.mce import mce
from workloads.metrics.probabilities import log_probabilities
from workloads.stages._data import dataset_of, label, view
from workloads.stages._networks import Model, read
from workloads.stages.base import TorchStage
from workloads.training.evaluation import forward

TABLE = "corruptions.json"
#: Corruption -> severity -> the accuracy of one network.
Table = dict[str, dict[int, float]]


@dataclass(frozen=True)
class Corruptions(TorchStage):
    """Measures the accuracy of the network under ``model`` on every corruption at every severity.

    With a network under ``reference`` the mean corruption error is the one's errors by the other's.
    """

    roles: ClassVar[Mapping[str, Role]] = {"model": Role.ONE, "reference": Role.OPTIONAL}

    dataset: Dataset | None = None
    """The set that is spoiled. None: that of the network."""
    source: Literal["generated", "official"] = "generated"
    """Images spoiled here, of any set, or those that the authors publish, of three."""
    corruptions: tuple[Corruption, ...] = get_args(Corruption)
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    split: SplitName = "test"
    seed: int = 0
    """Seeds the corruptions that are generated."""

    def __post_init__(self) -> None:
        for name in ("corruptions", "severities"):
            given = getattr(self, name)
            if not given or len({*given}) < len(given):
                raise ValueError(f"{name} must be one or more different ones, got {list(given)}")
        for severity in self.severities:
            check_severity(severity)
        if self.source == "official" and self.split != "test":
            raise ValueError(f"split must be test where source is official, got {self.split}")
        if self.source == "official" and self.dataset is not None:
            official(self.dataset, self.corruptions[0], self.severities[0])

    def compute(self, space: Workspace) -> Mapping[str, float]:
        model = read(space.inputs["model"], space.device)
        models = [model]
        if "reference" in space.inputs:
            models.append(read(space.inputs["reference"], space.device))
            self._agree(*models)
        dataset = dataset_of(self.dataset, model.dataset)
        tables = self._measured(models, dataset, space)
        clean = view(dataset, self.split, model.network.shape, space)
        found = tables[0]
        of_severity = {at: fmean(row[at] for row in found.values()) for at in self.severities}
        metrics = {
            "accuracy": fmean(of_severity.values()),
            "clean_accuracy": _accuracy(model, clean),
            **{f"accuracy_{name}": fmean(row.values()) for name, row in found.items()},
            **{f"accuracy_severity_{at}": share for at, share in of_severity.items()},
            **self._compared(*tables, space=space),
        }
        names = ("model", "reference")
        text = json.dumps(dict(zip(names, tables, strict=False)), indent=1, sort_keys=True)
        (space.output / TABLE).write_text(text + "\n", encoding="utf-8")
        return {f"{self.split}.{name}": value for name, value in metrics.items()} | {"density": model.density}

    def _measured(self, models: list[Model], dataset: Dataset, space: Workspace) -> list[Table]:
        """The accuracies of each of ``models``; notes one fingerprint for all that they saw."""
        tables: list[Table] = [{name: {} for name in self.corruptions} for _ in models]
        shape, content = models[0].network.shape, hashlib.sha256()
        pairs = [(name, severity) for name in self.corruptions for severity in self.severities]
        for done, (name, severity) in enumerate(pairs, start=1):
            seen = self._spoiled(dataset, name, severity).view(self.split, shape)
            content.update(digest_of(seen).encode())
            for model, table in zip(models, tables, strict=True):
                table[name][severity] = _accuracy(model, seen)
            space.progress(done, len(pairs))
        what = to_json([self.source, self.seed, self.corruptions, self.severities])
        size = "x".join(map(str, shape))
        space.fingerprints[f"{label(dataset)} {self.split} {size} corruptions {what}"] = content.hexdigest()
        return tables

    def _spoiled(self, dataset: Dataset, corruption: Corruption, severity: int) -> Dataset:
        """The images with one corruption."""
        if self.source == "official":
            return official(dataset, corruption, severity)
        return Corrupted(dataset, corruption, severity, self.seed)

    def _compared(self, mine: Table, reference: Table | None = None, *, space: Workspace) -> dict[str, float]:
        """The mean corruption error, over the corruptions where the reference makes errors, as a metric."""
        if reference is None:
            return {}
        errors, theirs = (
            {name: 1 - fmean(row.values()) for name, row in table.items()} for table in (mine, reference)
        )
        flawless = [name for name, row in reference.items() if min(row.values()) == 1]
        if flawless:
            space.warnings.append(
                "the mean corruption error leaves out where the reference makes no error: "
                + ", ".join(flawless)
            )
        rest = [name for name in errors if name not in flawless]
        return {"mce": mce(*({name: one[name] for name in rest} for one in (errors, theirs)))} if rest else {}

    @staticmethod
    def _agree(model: Model, reference: Model) -> None:
        """Refuse a reference that knows other classes."""
        if model.dataset != reference.dataset:
            raise ValueError(
                f"the reference must have learned the dataset of the network, {model.dataset}, "
                f"got {reference.dataset}"
            )


def _accuracy(model: Model, seen: Split) -> float:
    """The share of the images in ``seen`` that are classified rightly."""
    network = model.network
    return accuracy(log_probabilities(forward(network, seen.images)[0], network.classes).cpu(), seen.labels)
