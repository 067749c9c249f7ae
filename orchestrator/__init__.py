"""Sweeps as content-addressed stages: read a file, plan it, run what is missing, tabulate what is there.

>>> sweep = orchestrator.load("sweep.yaml")
>>> plan = sweep.plan()
>>> orchestrator.run(plan, store="results")
>>> orchestrator.results(plan, store="results")  # a pandas.DataFrame

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.api import load, results, run

__all__ = ["load", "results", "run"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("orchestrator.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
