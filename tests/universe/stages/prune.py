from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.stage import Role
from universe.stages.base import Planned


@dataclass(frozen=True)
class Prune(Planned):
    roles: ClassVar = {"model": Role.ONE, "weights": Role.OPTIONAL}
    version: ClassVar[int] = 2
    criterion: Any
    sparsity: float | None = None
    fraction: float | None = None
    fractions: Mapping[str, float] | None = None
    allocation: Any = "global"
    seed: int = 0

    def __post_init__(self):
        if self.sparsity is not None and not 0 <= self.sparsity < 1:
            raise ValueError(f"sparsity must be in [0, 1), got {self.sparsity}")
