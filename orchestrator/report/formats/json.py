"""JSON: the tables number by number and the tidy rows, unrounded."""

from __future__ import annotations

import json
from collections.abc import Mapping

from orchestrator.report.render import Report


def render(report: Report) -> Mapping[str, str]:
    """One file: ``name``, ``tables`` and ``rows``."""
    content = {
        "name": report.name,
        "tables": [section.content() for section in report.sections],
        "rows": list(report.results.records()),
    }
    return {"results.json": json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"}
