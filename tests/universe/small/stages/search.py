from __future__ import annotations

from dataclasses import dataclass

from universe.small.stages.base import Small


@dataclass(frozen=True)
class Search(Small):
    samples: int = 4
