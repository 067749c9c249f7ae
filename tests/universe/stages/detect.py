from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.stage import Role
from universe.stages.base import Planned


@dataclass(frozen=True)
class Detect(Planned):
    roles: ClassVar = {"train": Role.ONE, "inside": Role.ONE, "outside": Role.ONE}
    detector: Any
