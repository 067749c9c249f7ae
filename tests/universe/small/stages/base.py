from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, final

from orchestrator.stage import Stage
from universe.attacks.base import Attack


@dataclass(frozen=True)
class Small(Stage):
    """A stage of the grammar's tests: a field of every type, each with a default. Planned, never run."""

    value: Any = None
    number: float = 0.0
    count: int = 0
    text: str = ""
    flag: bool = False
    mode: Literal["fast", "slow"] = "fast"
    items: tuple[int, ...] = ()
    attack: Attack | None = None

    def __post_init__(self):
        if self.count < 0:
            raise ValueError(f"count must be at least 0, got {self.count}")

    @final
    def run(self, space):
        raise AssertionError("the planner runs nothing")
