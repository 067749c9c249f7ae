from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from orchestrator.stage import Role
from universe.small.stages.base import Small


@dataclass(frozen=True)
class Judge(Small):
    roles: ClassVar = {"model": Role.ONE}
