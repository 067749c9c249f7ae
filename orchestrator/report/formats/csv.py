"""CSV: every number as a tidy row, and each table line by line, unrounded."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.report.render import Report
from orchestrator.report.rows import OWN


def render(report: Report) -> Mapping[str, str]:
    """``results.csv`` with the tidy rows, then one file a table."""
    columns = [*report.results.columns().values(), *OWN]
    files = {
        "results.csv": table(
            [columns, *([record[name] for name in columns] for record in report.results.records())]
        )
    }
    for index, section in enumerate(report.sections, 1):
        files[f"table-{index}-{re.sub(r'[^a-zA-Z0-9._-]', '_', section.title)}.csv"] = table(section.lines())
    return files


def table(lines: Iterable[Sequence[Any]]) -> str:
    """CSV text; None becomes an empty field."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
