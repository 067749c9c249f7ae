"""Ratios of layers as a stage publishes them and another reads them: a JSON table ``{layer: ratio}``."""

from __future__ import annotations

import json
from pathlib import Path

RATIOS = "ratios.json"


def read_ratios(folder: Path | list[Path]) -> dict[str, float]:
    """The table in ``folder``."""
    if isinstance(folder, list):
        raise TypeError(f"one table is read here, got {len(folder)}")
    found = json.loads((folder / RATIOS).read_text(encoding="utf-8"))
    return {str(layer): float(ratio) for layer, ratio in found.items()}
