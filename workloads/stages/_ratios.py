"""What stages say of layers, and others read: JSON tables by the readable name of the layer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: ``{layer: ratio}``, and ``{layer: {sensitivity: ..., ...}}``.
RATIOS, SENSITIVITIES = "ratios.json", "sensitivities.json"


def read_ratios(folder: Path | list[Path]) -> dict[str, float]:
    """How much goes from each layer, relative to the others, as published in ``folder``."""
    return {layer: float(ratio) for layer, ratio in _read(folder, RATIOS).items()}


def read_sensitivities(folder: Path | list[Path]) -> dict[str, float]:
    """The sensitivity of each layer as published in ``folder``."""
    return {layer: float(found["sensitivity"]) for layer, found in _read(folder, SENSITIVITIES).items()}


def least_sensitive(folder: Path | list[Path]) -> str:
    """The layer with the smallest sensitivity in ``folder``; of equal ones the first."""
    found = read_sensitivities(folder)
    return min(found, key=found.__getitem__)


def write_table(file: Path, table: Mapping[str, Any]) -> None:
    """Write a table; equal tables give equal bytes."""
    file.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _read(folder: Path | list[Path], name: str) -> dict[str, Any]:
    if isinstance(folder, list):
        raise TypeError(f"one table is read here, got {len(folder)}")
    found: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    return found
