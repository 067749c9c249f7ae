from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from universe.stages.base import Planned


@dataclass(frozen=True)
class Initialise(Planned):
    architecture: Any
    dataset: Any
    seed: int
    stream: int = 0
