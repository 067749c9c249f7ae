"""CSV: every number as a tidy row, and each table with mean, deviation and n of every cell, unrounded."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.report.render import Report
from orchestrator.report.rows import ABSENT, OWN
from orchestrator.report.table import Grid


def render(report: Report) -> Mapping[str, str]:
    """``results.csv`` with the tidy rows, then one file a table."""
    columns = [*report.results.columns().values(), *OWN]
    files = {
        "results.csv": table(
            [columns, *([record[name] for name in columns] for record in report.results.records())]
        )
    }
    for index, grid in enumerate(report.grids, 1):
        files[f"table-{index}-{re.sub(r'[^a-zA-Z0-9._-]', '_', grid.title)}.csv"] = table(cells(grid))
    return files


def cells(grid: Grid) -> Iterable[Sequence[Any]]:
    """A header, then one line a cell; an axis that a trial lacks and a number that is not there are empty."""
    yield [*grid.rows, *grid.columns, "mean", "deviation", "n", "planned", "notes"]
    for row in grid.row_headers:
        for column in grid.column_headers:
            if cell := grid.cells.get((row, column)):
                head = ["" if value == ABSENT else value for value in (*row, *column)]
                yield [*head, cell.mean, cell.deviation, cell.n, cell.planned, "; ".join(cell.notes)]


def table(lines: Iterable[Sequence[Any]]) -> str:
    """CSV text; None becomes an empty field."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
