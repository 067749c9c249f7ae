"""How well a detector tells images from elsewhere from those of the network's own data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from orchestrator.build import build, find, names
from orchestrator.identity import name_of
from orchestrator.stage import LATER, Planned, Role, Workspace
from workloads.datasets.base import Dataset
from workloads.detectors.base import Detector
from workloads.stages._detection import Positive, measures
from workloads.stages._overlap import dataset_read, note_overlap, refuse_learned, refuse_overlap_of_outputs
from workloads.stages.base import TorchStage
from workloads.training.outputs import check_one_source, load_origin, load_outputs


@dataclass(frozen=True)
class Detect(TorchStage):
    """Fits a detector to the outputs under ``train``, and has it tell what is ``outside`` from ``inside``."""

    version: ClassVar[int] = 2
    roles: ClassVar[Mapping[str, Role]] = {"train": Role.ONE, "inside": Role.ONE, "outside": Role.ONE}

    detector: Detector
    allow_overlap: tuple[str, ...] = field(default=(), metadata=LATER)
    """Names of data sets that may be ``outside`` though classes of theirs are ``inside``; with a warning."""
    positive: Positive = field(default="inside", metadata=LATER)
    """The side of which FPR95 finds 95 %: in-distribution as in the ODIN, Energy and MOON papers, or the
    other as in pytorch-ood. They differ widely."""

    def check_inputs(self, inputs: Mapping[str, Sequence[Planned]]) -> None:
        if "models" in inputs["train"][0].inputs:
            self._check_ensemble()
        refuse_overlap_of_outputs(inputs["inside"][0], inputs["outside"][0], self.allow_overlap)
        if outside := dataset_read(inputs["outside"][0]):
            refuse_learned(inputs["outside"][0], outside, self.allow_overlap)

    def compute(self, space: Workspace) -> Mapping[str, float]:
        folders = [_folder(space, role) for role in ("train", "inside", "outside")]
        train, inside, outside = outputs = [load_outputs(folder, space.device) for folder in folders]
        check_one_source(folders, outputs, "train, inside and outside")
        if "members" in load_origin(folders[0]):
            self._check_ensemble()
        score = self.detector.fit(train)
        near, far = score(inside), score(outside)
        right = inside.known.argmax(1) == inside.labels
        self._warn(space)
        return measures(near, far, right, self.positive, space)

    def _check_ensemble(self) -> None:
        """Refuse a detector that needs more of a network than the probabilities an ensemble has."""
        if not self.detector.by_probabilities:
            able = [name for name in names(Detector) if find(Detector, name).by_probabilities]
            raise ValueError(
                "an ensemble has mean probabilities, and no logits or features for "
                f"{name_of(self.detector)}; take one of {', '.join(able)}"
            )

    def _warn(self, space: Workspace) -> None:
        """Say which classes are inside and outside, where that was allowed."""
        origins = [load_origin(_folder(space, role)) for role in ("inside", "outside")]
        if "attack" in origins[1]:
            return
        inside, outside = (build(Dataset, origin["dataset"], "dataset") for origin in origins)
        note_overlap(inside, outside, self.allow_overlap, space)


def _folder(space: Workspace, role: str) -> Path:
    """The folder under ``role``."""
    folder = space.inputs[role]
    assert isinstance(folder, Path)
    return folder
