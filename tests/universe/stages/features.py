from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.stage import Role
from universe.stages.base import Planned


@dataclass(frozen=True)
class Features(Planned):
    roles: ClassVar = {"model": Role.ONE}
    dataset: Any = None
    split: str = "test"
