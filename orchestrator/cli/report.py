"""``sparsweep report``: the tables in a format."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.cli.asked import Asked
from orchestrator.cli.guard import DONE, WRONG_INPUT, say
from orchestrator.cli.tables import print_tables
from orchestrator.errors import InputError, unknown
from orchestrator.report.render import known_formats, make_report, render, write


def write_report(asked: Asked, name: str, output: Path | None) -> int:
    """Print the main file of a format, or write all of them into ``output``.

    Raises:
        InputError: there is no such format, or it is none for a terminal.
    """
    if name not in known_formats():
        raise InputError(f"--format: {unknown('format', name, known_formats())}")
    report = make_report(asked.plan, asked.open_store())
    if output is not None:
        for path in write(render(report, name), output):
            say(f"wrote {path}")
    elif name == "md" and sys.stdout.isatty():
        print_tables(report)
        return WRONG_INPUT if report.problems else DONE
    else:
        content = next(iter(render(report, name).values()))
        if isinstance(content, bytes):
            if sys.stdout.isatty():
                raise InputError(f"--format {name} is not for a terminal; add --output DIR")
            sys.stdout.buffer.write(content)
        else:
            sys.stdout.write(content)
    for problem in report.problems:
        say(problem)
    return WRONG_INPUT if report.problems else DONE
