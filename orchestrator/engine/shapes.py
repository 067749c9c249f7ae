"""The resource shapes of a plan's stages: stages of one shape run on the same workers."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from orchestrator.errors import InputError
from orchestrator.plan import Plan
from orchestrator.stage import Resources


def covers(larger: Resources, smaller: Resources) -> bool:
    """Whether a worker of one shape has all that a stage of the other asks for, on the same device."""
    return (
        larger.cpus >= smaller.cpus
        and larger.memory_gib >= smaller.memory_gib
        and larger.gpus >= smaller.gpus
        and bool(larger.gpus) == bool(smaller.gpus)
    )


class Shapes:
    """What each stage really asks for; without GPUs (``gpus=False``) a share of one counts as 0."""

    def __init__(self, plan: Plan, missing: Collection[int], *, gpus: bool) -> None:
        self._plan = plan
        self._gpus = gpus
        self._known: dict[Resources, Resources] = {}
        self.ignored = False
        """Whether a share of a GPU was asked for that counts as 0."""
        self._first: dict[Resources, int] = {}
        self._shapes = {stage: self._shape(stage) for stage in missing}

    def __call__(self, stage: int, *, alone: bool = False) -> Resources:
        """The shape of ``stage``; ``alone`` it has a whole GPU."""
        shape = self._shapes.get(stage) or self._shape(stage)
        if alone and shape.gpus:
            return replace(shape, gpus=float(max(1, math.ceil(shape.gpus))))
        return shape

    def labels(self) -> dict[Resources, str]:
        """Each shape with a stage that has it, for people."""
        return {shape: self._plan.job(stage).label for shape, stage in self._first.items()}

    def _shape(self, stage: int) -> Resources:
        asked = self._plan.resources(stage)
        if asked not in self._known:
            self._known[asked] = asked if self._gpus else replace(asked, gpus=0.0)
            self.ignored = self.ignored or self._known[asked] != asked
            self._first.setdefault(self._known[asked], stage)
            if asked.gpus > 1 and not float(asked.gpus).is_integer():
                label = self._plan.job(stage).label
                raise InputError(f"{label}: gpus above 1 must be a whole number, got {asked.gpus:g}")
        return self._known[asked]
