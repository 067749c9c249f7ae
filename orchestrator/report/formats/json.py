"""JSON: the tables cell by cell and the tidy rows, unrounded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.report.render import Report
from orchestrator.report.rows import ABSENT
from orchestrator.report.table import Grid


def render(report: Report) -> Mapping[str, str]:
    """One file: ``name``, ``tables`` and ``rows``."""
    content = {
        "name": report.name,
        "tables": [table(grid) for grid in report.grids],
        "rows": list(report.results.records()),
    }
    return {"results.json": json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"}


def table(grid: Grid) -> dict[str, Any]:
    """A grid as data: what it is, and its cells in the order of its rows and columns."""
    cells = []
    for row in grid.row_headers:
        for column in grid.column_headers:
            if cell := grid.cells.get((row, column)):
                cells.append(
                    {
                        "row": header(grid, grid.rows, row),
                        "column": header(grid, grid.columns, column),
                        "mean": cell.mean,
                        "deviation": cell.deviation,
                        "n": cell.n,
                        "planned": cell.planned,
                        "values": list(cell.values),
                        "notes": dict(cell.notes),
                    }
                )
    return {
        "value": grid.value,
        "metrics": list(grid.metrics),
        "rows": list(grid.rows),
        "columns": list(grid.columns),
        "average": list(grid.average),
        "over": list(grid.over),
        "added": list(grid.added),
        "where": dict(grid.where),
        "epochs": list(grid.epochs),
        "cells": cells,
    }


def header(grid: Grid, keys: Sequence[str], texts: Sequence[str]) -> dict[str, Any]:
    """Key -> value, without the keys that the trials lack."""
    return {key: grid.written[key, text] for key, text in zip(keys, texts, strict=True) if text != ABSENT}
