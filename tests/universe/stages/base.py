from __future__ import annotations

from dataclasses import dataclass
from typing import final

from orchestrator.stage import Stage


@dataclass(frozen=True)
class Planned(Stage):
    """A stage that is planned and never run."""

    @final
    def run(self, space):
        raise AssertionError("the planner runs nothing")
