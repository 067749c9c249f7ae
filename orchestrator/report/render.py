"""A report in any format. A format is a file in ``formats`` with one function, `render`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.build import names
from orchestrator.errors import InputError, unknown
from orchestrator.report.beside import beside
from orchestrator.report.best import choose
from orchestrator.report.explain import explain
from orchestrator.report.rows import Results, read
from orchestrator.report.section import Section
from orchestrator.report.table import fill
from orchestrator.spec.sweep import Beside, Best, Entry, Explain, Table

if TYPE_CHECKING:
    from orchestrator.plan import Plan
    from orchestrator.storage.store import Store

FORMATS = "orchestrator.report.formats"


@dataclass(frozen=True)
class Report:
    """Everything that a format writes."""

    name: str
    results: Results
    sections: Sequence[Section]
    problems: Sequence[str] = ()
    """Tables that cannot be made, each with its reason."""


def make_report(plan: Plan, store: Store) -> Report:
    """The report of ``plan`` from what ``store`` has; ``problems`` says which tables cannot be made."""
    results = read(plan, store)
    sections: list[Section] = []
    problems: list[str] = []
    entries = plan.sweep.tables or default_tables(results)
    for index, entry in enumerate(entries):
        place = f"{plan.sweep.path}: tables[{index}]"
        try:
            sections.append(section_of(entry, results, place))
        except InputError as error:
            problems.append(str(error))
    return Report(plan.sweep.name, results, sections, problems)


def section_of(entry: Entry, results: Results, place: str) -> Section:
    """The section of an entry of ``tables``.

    Raises:
        InputError: it cannot be made.
    """
    if isinstance(entry, Explain):
        return explain(entry, results, place)
    if isinstance(entry, Best):
        return choose(entry, results, place)
    if isinstance(entry, Beside):
        return beside(entry, results, place)
    return fill(entry, results, place)


def default_tables(results: Results) -> list[Entry]:
    """A table for every metric of every node, for a sweep that names none."""
    values = dict.fromkeys(f"{row.node}.{row.metric}" for row in results.rows())
    return [Table(rows=(), columns=(), value=value) for value in values]


def known_formats() -> tuple[str, ...]:
    """The names of the formats."""
    return names(FORMATS)


def render(report: Report, name: str) -> Mapping[str, str | bytes]:
    """File name -> content, the main file first.

    Raises:
        InputError: there is no such format.
    """
    if name not in known_formats():
        raise InputError(unknown("format", name, known_formats()))
    files: Mapping[str, str | bytes] = import_module(f"{FORMATS}.{name}").render(report)
    return files


def write(files: Mapping[str, str | bytes], folder: Path) -> list[Path]:
    """Write ``files`` into ``folder``, which is made if need be.

    Raises:
        InputError: it cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = folder / name
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            written.append(path)
    except OSError as error:
        raise InputError(f"{error.filename or folder}: cannot write the report: {error.strerror}") from None
    return written
