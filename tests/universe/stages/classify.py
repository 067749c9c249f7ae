from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from orchestrator.stage import Role
from universe.stages.base import Planned


@dataclass(frozen=True)
class Classify(Planned):
    roles: ClassVar = {"model": Role.OPTIONAL, "models": Role.OPTIONAL_LIST}

    def check(self, reads):
        if len(reads) != 1:
            raise ValueError(f"classify reads either `model` or `models`, got {list(reads)}")
