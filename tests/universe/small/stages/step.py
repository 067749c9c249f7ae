from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from orchestrator.stage import Resources, Role
from universe.small.stages.base import Small


@dataclass(frozen=True)
class Step(Small):
    roles: ClassVar = {"model": Role.ONE, "other": Role.OPTIONAL}
    parts: ClassVar = ("best", "last")
    resources: ClassVar = Resources(cpus=2)
