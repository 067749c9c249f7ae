"""How well a detector tells images from elsewhere from those of the network's own data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from orchestrator.build import build
from orchestrator.identity import name_of
from orchestrator.stage import LATER, Planned, Role, Workspace
from workloads.datasets.base import Dataset
from workloads.detectors.base import Detector, Outputs
from workloads.metrics.aupr import aupr
from workloads.metrics.auroc import auroc
from workloads.metrics.fpr95 import fpr95
from workloads.stages._overlap import refuse_overlap, shared
from workloads.stages.base import TorchStage
from workloads.training.outputs import load_origin, load_outputs


@dataclass(frozen=True)
class Detect(TorchStage):
    """Fits a detector to the outputs under ``train`` and scores those ``inside`` against those ``outside``.

    In-distribution is the positive class of FPR95, as in the ODIN, Energy and MOON papers.
    """

    roles: ClassVar[Mapping[str, Role]] = {"train": Role.ONE, "inside": Role.ONE, "outside": Role.ONE}

    detector: Detector
    allow_overlap: tuple[str, ...] = field(default=(), metadata=LATER)
    """Names of data sets that may be ``outside`` though classes of theirs are ``inside``; a warning says it."""

    def check_inputs(self, inputs: Mapping[str, Sequence[Planned]]) -> None:
        refuse_overlap(inputs["inside"][0], inputs["outside"][0], self.allow_overlap)

    def compute(self, space: Workspace) -> Mapping[str, float]:
        train, inside, outside = (_outputs(space, role) for role in ("train", "inside", "outside"))
        score = self.detector.fit(train)
        near, far = score(inside), score(outside)
        self._warn(space)
        return {
            "auroc": auroc(near, far),
            "aupr_in": aupr(near, far, "inside"),
            "aupr_out": aupr(near, far, "outside"),
            "fpr95": fpr95(near, far),
        }

    def _warn(self, space: Workspace) -> None:
        """Say which classes are inside and outside, where that was allowed."""
        origins = [load_origin(_folder(space, role)) for role in ("inside", "outside")]
        sets: list[Dataset] = [build(Dataset, origin["dataset"], "dataset") for origin in origins]
        if name_of(sets[1]) in self.allow_overlap and (common := shared(*sets)):
            space.warnings.append(f"{common}: what is said to be outside is partly inside")


def _folder(space: Workspace, role: str) -> Path:
    """The folder under ``role``."""
    folder = space.inputs[role]
    assert isinstance(folder, Path)
    return folder


def _outputs(space: Workspace, role: str) -> Outputs:
    """The stored outputs under ``role``."""
    return load_outputs(_folder(space, role), space.device)
