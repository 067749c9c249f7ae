from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from universe.stages.base import Planned


@dataclass(frozen=True)
class Search(Planned):
    fields: Mapping[str, Any]
    metric: str
    samples: int = 10
