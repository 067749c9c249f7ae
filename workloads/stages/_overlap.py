"""Whether images from elsewhere are that: no class of theirs may be one that the network learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchestrator.identity import name_of
from orchestrator.stage import Planned, Workspace
from workloads.datasets.base import Dataset
from workloads.stages._data import label

#: The roles under which a stage reads the networks that it is about.
NETWORKS = ("model", "models", "start")


def shared(inside: Dataset, outside: Dataset) -> str:
    """What the images of two sets have in common, in words; empty if nothing is known of.

    Images that were altered (corrupted, or out of the range of pixels) are an anomaly whatever they show.
    """
    if inside == outside:
        return f"{label(outside)} is the in-distribution set itself"
    if outside.alteration and outside.alteration != inside.alteration:
        return ""
    common = sorted(inside.concepts & outside.concepts)
    return f"{label(outside)} and {label(inside)} both show {', '.join(common)}" if common else ""


def refuse_overlap(inside: Dataset, outside: Dataset, allowed: tuple[str, ...]) -> None:
    """Refuse two sets whose images have classes in common, unless the outer one is ``allowed``.

    Raises:
        ValueError: names both sets, and what they share.
    """
    common = shared(inside, outside)
    if common and name_of(outside) not in allowed:
        raise ValueError(
            f"images from outside must be of no class inside, but {common}; take another set, make them an "
            f"anomaly (attacked, corrupted, out_of_range), or say `allow_overlap: [{name_of(outside)}]`"
        )


def refuse_overlap_of_outputs(inside: Planned, outside: Planned, allowed: tuple[str, ...]) -> None:
    """As `refuse_overlap`, for the data sets that two stages name or inherit.

    Outputs that were made in different ways (of attacked images, say) may well be of the same images.
    """
    own, other = dataset_read(inside), dataset_read(outside)
    if own and other and _bare(inside.stage) == _bare(outside.stage):
        refuse_overlap(own, other, allowed)


def refuse_outliers(own: Dataset, outliers: Dataset) -> None:
    """Refuse to learn that images of the network's ``own`` classes are outliers.

    Raises:
        ValueError: they may be; says of which classes.
    """
    if common := shared(own, outliers):
        raise ValueError(f"outliers must be of no class that is learned, but {common}")


def refuse_learned(planned: Planned, outside: Dataset, allowed: tuple[str, ...]) -> None:
    """Refuse detection of images like those a network learned as outliers, unless they are ``allowed``.

    ``planned`` is a stage that made the network, or reads it.

    Raises:
        ValueError: a training among its ancestors saw such outliers.
    """
    ahead = [planned] if name_of(outside) not in allowed else []
    while ahead:
        one = ahead.pop()
        objective = getattr(one.stage, "objective", None)
        if objective is not None and objective.outliers and _alike(objective.outliers[0], outside):
            raise ValueError(
                f"images from outside must be none that the network learned as outliers, but "
                f"{label(outside)} is like {label(objective.outliers[0])}; take another set, or say "
                f"`allow_overlap: [{name_of(outside)}]`"
            )
        ahead.extend(parent for parents in one.inputs.values() for parent in parents)


def _alike(outliers: Dataset, outside: Dataset) -> bool:
    """Whether two sets show the same: classes, or where these are not known whatever sets of a kind show."""
    if outliers.concepts or outside.concepts:
        return outliers == outside or bool(outliers.concepts & outside.concepts)
    return type(outliers) is type(outside)


def note_overlap(inside: Dataset, outside: Dataset, allowed: tuple[str, ...], space: Workspace) -> None:
    """Say with the numbers which classes are inside and outside, where that was ``allowed``."""
    if name_of(outside) in allowed and (common := shared(inside, outside)):
        space.warnings.append(f"{common}: what is said to be outside is partly inside")


def dataset_read(planned: Planned) -> Dataset | None:
    """The data set that a stage names, or that of the network it reads; None if that is not to be seen."""
    while True:
        own = getattr(planned.stage, "dataset", None)
        if own is not None:
            return own  # type: ignore[no-any-return]
        models = next((planned.inputs[role] for role in NETWORKS if planned.inputs.get(role)), None)
        if not models:
            return None
        planned = models[0]


def _bare(stage: Any) -> Any:
    """``stage`` without the data set and split."""
    return replace(stage, dataset=None, split="test") if hasattr(stage, "split") else stage
