from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from orchestrator.stage import Role
from universe.attacks.base import Attack
from universe.stages.base import Planned


@dataclass(frozen=True)
class AttackStage(Planned):
    roles: ClassVar = {"model": Role.ONE}
    attack: Attack
