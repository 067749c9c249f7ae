"""Raises, the first ``times`` that it is run; what it raises is in its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine_stages.base import leave, left
from orchestrator.stage import Stage, Workspace


class OutOfMemoryError(RuntimeError):
    """Called as CUDA's is."""


@dataclass(frozen=True)
class Fail(Stage):
    folder: str
    times: int = 1000
    kind: Literal["error", "memory", "exit", "nan", "text", "store"] = "error"
    number: int = 0

    def run(self, space: Workspace) -> Mapping[str, float]:
        before = len([event for event in left(self.folder, "tried") if event["number"] == self.number])
        leave(self.folder, "tried", number=self.number)
        if before >= self.times:
            return {"tries": before + 1}
        match self.kind:
            case "memory":
                raise OutOfMemoryError("CUDA out of memory")
            case "exit":
                raise SystemExit(3)
            case "nan":
                return {"loss": float("nan")}
            case "text":
                return {"loss": "low"}  # type: ignore[dict-item]
            case "store":
                (space.output / "a\nb").write_text("no store can keep this name")
                return {}
        raise RuntimeError(f"no luck with {self.number}\nsecond line")
