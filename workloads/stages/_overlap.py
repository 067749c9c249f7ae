"""Whether images from elsewhere are that: no class of theirs may be one that the network learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchestrator.identity import name_of
from orchestrator.stage import Planned
from workloads.datasets.base import Dataset
from workloads.stages._data import label


def shared(inside: Dataset, outside: Dataset) -> str:
    """What the images of two sets have in common, in words; empty if nothing is known of."""
    if inside == outside:
        return f"{label(outside)} is the in-distribution set itself"
    common = sorted(inside.concepts & outside.concepts)
    return f"{label(outside)} and {label(inside)} both show {', '.join(common)}" if common else ""


def refuse_overlap(inside: Planned, outside: Planned, allowed: tuple[str, ...]) -> None:
    """Refuse a pair of outputs whose images have classes in common, unless the outer set is ``allowed``.

    Outputs that were made in different ways (of attacked images, say) may well be of the same images.

    Raises:
        ValueError: names both sets, and what they share.
    """
    own, other = dataset_read(inside), dataset_read(outside)
    common = shared(own, other) if own and other else ""
    if common and name_of(other) not in allowed and _bare(inside.stage) == _bare(outside.stage):
        raise ValueError(
            f"images from outside must be of no class inside, but {common}; take another set, or say "
            f"`allow_overlap: [{name_of(other)}]`"
        )


def dataset_read(planned: Planned) -> Dataset | None:
    """The data set that a stage names, or that of the network it reads; None if that is not to be seen."""
    while True:
        own = getattr(planned.stage, "dataset", None)
        if own is not None:
            return own  # type: ignore[no-any-return]
        models = planned.inputs.get("model") or planned.inputs.get("models")
        if not models:
            return None
        planned = models[0]


def _bare(stage: Any) -> Any:
    """``stage`` without the data set and split."""
    return replace(stage, dataset=None, split="test") if hasattr(stage, "split") else stage
