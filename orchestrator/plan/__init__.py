"""From a `Sweep` to a `Plan`. Nothing is imported before it is used: workers need `Job` and no planner."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.plan.job import Job, Output, Trial
    from orchestrator.plan.plan import Plan
    from orchestrator.plan.planner import make_plan

WHERE = {"Job": "job", "Output": "job", "Trial": "job", "Plan": "plan", "make_plan": "planner"}

__all__ = ["Job", "Output", "Plan", "Trial", "make_plan"]


def __getattr__(name: str) -> Any:
    if name in WHERE:
        return getattr(import_module(f"{__name__}.{WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
