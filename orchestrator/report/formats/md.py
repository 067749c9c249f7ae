"""Markdown: the tables one below the other, as GitHub shows them."""

from __future__ import annotations

from collections.abc import Mapping

from tabulate import tabulate

from orchestrator.report.render import Report
from orchestrator.report.section import Sheet


def render(report: Report) -> Mapping[str, str]:
    """One file with all tables."""
    parts = [f"# {report.name}", *(markdown(section.sheet()) for section in report.sections)]
    return {"tables.md": "\n\n".join(parts) + "\n"}


def markdown(sheet: Sheet) -> str:
    """A table with its title, its caption and its footnotes."""
    body = tabulate(
        [[escape(text) for text in line] for line in sheet.lines],
        headers=[escape(text) for text in sheet.header],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=["left"] * sheet.headers + ["right"] * (len(sheet.header) - sheet.headers),
    )
    return "\n\n".join([f"## {sheet.title}", escape(sheet.caption), body, *map(escape, sheet.notes)])


def escape(text: str) -> str:
    """``text`` with the signs escaped that would end a cell or start a link."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
