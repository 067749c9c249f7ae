"""The tables of a sweep on stdout: drawn on a terminal, Markdown in a pipe or a file."""

from __future__ import annotations

import sys

from orchestrator.cli.guard import say
from orchestrator.report.formats.md import markdown
from orchestrator.report.render import Report
from orchestrator.report.section import Sheet


def print_tables(report: Report) -> None:
    """Print every table; what is wrong with the others goes to stderr."""
    if sys.stdout.isatty():
        for section in report.sections:
            draw(section.sheet(always_n=False))
    else:
        print("\n\n".join(markdown(section.sheet()) for section in report.sections))
    for problem in report.problems:
        say(problem)


def draw(sheet: Sheet) -> None:
    """Draw a table on the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(sheet.title, style="bold"), title_justify="left", box=SIMPLE_HEAD)
    for index, name in enumerate(sheet.header):
        table.add_column(Text(name), justify="left" if index < sheet.headers else "right")
    for line in sheet.lines:
        table.add_row(*map(Text, line))
    console = Console()
    console.print(table)
    for note in (sheet.caption, *sheet.notes):
        console.print(Text(note), style="dim")
    console.print()
