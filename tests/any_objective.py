"""Every objective by its name, with what has no default."""

from __future__ import annotations

from orchestrator.build import build
from workloads.objectives.base import Objective

NEEDED = {"outlier_exposure": {"dataset": "noise", "split": "validation"}}


def objective(name: str, **fields) -> Objective:
    """The objective ``name``."""
    return build(Objective, {"name": name, **NEEDED.get(name, {}), **fields})
