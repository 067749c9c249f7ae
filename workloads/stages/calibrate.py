"""How far a network's confidence can be trusted, before and after temperature scaling."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal

from torch import Tensor

from orchestrator.build import build
from orchestrator.stage import Planned, Role, Workspace
from workloads.datasets.base import Dataset
from workloads.detectors.base import Outputs
from workloads.metrics.accuracy import accuracy
from workloads.metrics.adaptive_ece import adaptive_ece
from workloads.metrics.aurc import aurc, excess_aurc
from workloads.metrics.brier import brier
from workloads.metrics.classwise_ece import classwise_ece
from workloads.metrics.ece import ece
from workloads.metrics.nll import nll
from workloads.metrics.probabilities import log_probabilities
from workloads.metrics.reliability import reliability
from workloads.metrics.temperature import HIGHEST, LOWEST, fit_temperature
from workloads.stages._data import label
from workloads.stages.base import TorchStage
from workloads.training.outputs import check_one_source, load_origin, load_outputs

RELIABILITY = "reliability.json"


@dataclass(frozen=True)
class Calibrate(TorchStage):
    """Fits a temperature to the outputs under ``validation``, and measures calibration on those ``inside``.

    Both are outputs of `features`. Metrics that end in ``_scaled`` are those after logits were divided by the
    temperature. `reliability.json` has the bins of the calibration error, before and after.
    """

    roles: ClassVar[Mapping[str, Role]] = {"inside": Role.ONE, "validation": Role.ONE}

    bins: int = 15
    """Bins of the calibration errors; the papers on sparse networks (Ayle et al., CigL, MOON) take 10."""
    view: Literal["known", "all"] = "known"
    """Answers among the known classes, or among all outputs: then the answer unknown is an error.

    Either way the probabilities are those over all outputs. It matters to networks with unknown outputs only.
    """

    def __post_init__(self) -> None:
        if self.bins < 1:
            raise ValueError(f"bins must be at least 1, got {self.bins}")

    def check_inputs(self, inputs: Mapping[str, Sequence[Planned]]) -> None:
        split = getattr(inputs["validation"][0].stage, "split", "validation")
        if split != "validation":
            raise ValueError(f"the temperature must be fitted on the validation split, got {split}")

    def compute(self, space: Workspace) -> Mapping[str, float]:
        (inside, split), (validation, _) = (_read(space, role) for role in ("inside", "validation"))
        folders = [_folder(space, role) for role in ("inside", "validation")]
        check_one_source(folders, (inside, validation), "inside and validation")
        temperature = fit_temperature(validation.logits, validation.labels)
        if temperature in (LOWEST, HIGHEST):
            space.warnings.append(
                f"no temperature is best for {len(validation.labels)} validation images with an accuracy of "
                f"{accuracy(validation.known, validation.labels):.1%}: took the bound, {temperature:g}"
            )
        before, after = (self._belief(inside, divisor) for divisor in (1.0, temperature))
        bins = {
            name: [asdict(one) for one in reliability(belief, inside.labels, self.bins)]
            for name, belief in (("before", before), ("after", after))
        }
        (space.output / RELIABILITY).write_text(json.dumps(bins, indent=1) + "\n", encoding="utf-8")
        scaled = self._measures(after, inside.labels)
        measures = self._measures(before, inside.labels) | {
            f"{name}_scaled": value for name, value in scaled.items()
        }
        return {
            "temperature": temperature,
            f"{split}.accuracy": accuracy(before, inside.labels),
            **{f"{split}.{name}": value for name, value in measures.items()},
        }

    def _belief(self, outputs: Outputs, temperature: float) -> Tensor:
        """The log-probabilities (N, answers) of the logits divided by ``temperature``."""
        answers = outputs.classes if self.view == "known" else outputs.logits.shape[1]
        return log_probabilities(outputs.logits.double() / temperature, answers)

    def _measures(self, belief: Tensor, labels: Tensor) -> dict[str, float]:
        """Every measure that a temperature changes."""
        return {
            "nll": nll(belief, labels),
            "brier": brier(belief, labels),
            "ece": ece(belief, labels, self.bins),
            "adaptive_ece": adaptive_ece(belief, labels, self.bins),
            "classwise_ece": classwise_ece(belief, labels, self.bins),
            "aurc": aurc(belief, labels),
            "excess_aurc": excess_aurc(belief, labels),
        }


def _read(space: Workspace, role: str) -> tuple[Outputs, str]:
    """The stored outputs under ``role``, and the split that they are of.

    Raises:
        ValueError: the images are of other classes than the network's.
    """
    folder = _folder(space, role)
    outputs, origin = load_outputs(folder, space.device), load_origin(folder)
    dataset: Dataset = build(Dataset, origin["dataset"], "dataset")
    if dataset.classes != outputs.classes:
        raise ValueError(
            f"calibration needs labels of the network's {outputs.classes} classes, but {label(dataset)}, "
            f"{role}, has {dataset.classes or 'none'}"
        )
    return outputs, str(origin["split"])


def _folder(space: Workspace, role: str) -> Path:
    """The folder under ``role``."""
    folder = space.inputs[role]
    assert isinstance(folder, Path)
    return folder
