from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from orchestrator.stage import Resources, Role
from universe.attacks.base import Attack
from universe.stages.base import Planned


@dataclass(frozen=True)
class Train(Planned):
    roles: ClassVar = {"model": Role.OPTIONAL, "settings": Role.OPTIONAL}
    parts: ClassVar = ("best",)
    resources: ClassVar = Resources(cpus=2)
    architecture: Any
    dataset: Any
    seed: int
    epochs: int = 10
    batch_size: int = 64
    objective: Any = "cross_entropy"
    optimizer: Any = "sgd"
    sparsify: Any = None
    averaging: Any = None
    attack: Attack | None = None
