from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from orchestrator.stage import Role
from universe.small.stages.base import Small


@dataclass(frozen=True)
class Join(Small):
    roles: ClassVar = {"models": Role.LIST, "first": Role.OPTIONAL}
