from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from orchestrator.stage import Role
from universe.attacks.base import Attack
from universe.attacks.pgd import Pgd
from universe.small.stages.base import Small


@dataclass(frozen=True)
class Make(Small):
    roles: ClassVar = {"model": Role.OPTIONAL, "settings": Role.OPTIONAL}
    enemy: Attack = Pgd(epsilon=0.1)  # noqa: RUF009 - frozen
