from __future__ import annotations

from dataclasses import dataclass

from universe.small.base import Small


@dataclass(frozen=True)
class Search(Small):
    samples: int = 4
