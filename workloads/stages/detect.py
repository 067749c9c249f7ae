"""How well a detector tells images from elsewhere from those of the network's own data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from orchestrator.stage import Role, Workspace
from workloads.detectors.base import Detector, Outputs
from workloads.metrics.aupr import aupr
from workloads.metrics.auroc import auroc
from workloads.metrics.fpr95 import fpr95
from workloads.stages.base import TorchStage
from workloads.training.outputs import load_outputs


@dataclass(frozen=True)
class Detect(TorchStage):
    """Fits a detector to the outputs under ``train`` and scores those ``inside`` against those ``outside``.

    In-distribution is the positive class of FPR95, as in the ODIN, Energy and MOON papers.
    """

    roles: ClassVar[Mapping[str, Role]] = {"train": Role.ONE, "inside": Role.ONE, "outside": Role.ONE}

    detector: Detector

    def compute(self, space: Workspace) -> Mapping[str, float]:
        train, inside, outside = (_outputs(space, role) for role in ("train", "inside", "outside"))
        score = self.detector.fit(train)
        near, far = score(inside), score(outside)
        return {
            "auroc": auroc(near, far),
            "aupr_in": aupr(near, far, "inside"),
            "aupr_out": aupr(near, far, "outside"),
            "fpr95": fpr95(near, far),
        }


def _outputs(space: Workspace, role: str) -> Outputs:
    """The stored outputs under ``role``."""
    folder = space.inputs[role]
    assert isinstance(folder, Path)
    return load_outputs(folder, space.device)
