"""A section that says, row by row, which value of an axis is best, perhaps among those that cost little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import InputError
from orchestrator.report.best_sheet import sheet_of
from orchestrator.report.candidates import Candidate, Choice, Near, own
from orchestrator.report.cell import Cell, cell_of
from orchestrator.report.grouping import Header, grouped, ordered, values_of, varies, writing
from orchestrator.report.numbers import lower_is_better
from orchestrator.report.rows import ABSENT, Results
from orchestrator.report.section import Sheet
from orchestrator.report.selection import select, title_of
from orchestrator.spec.sweep import Best


@dataclass(frozen=True)
class Chosen:
    """The choices of an entry, one per row."""

    entry: Best
    metrics: tuple[str, ...]
    near_metrics: tuple[str, ...]
    lower: bool
    """Whether less of the value is better."""
    near_lower: bool
    rows: tuple[str, ...]
    added: tuple[str, ...]
    choices: Mapping[Header, Choice]
    written: Mapping[tuple[str, str], Any]
    """Key and text in a header -> the value itself."""
    planned: int
    missing: int
    epochs: tuple[float, ...]

    @property
    def title(self) -> str:
        """What is chosen, and by what."""
        return f"best {self.entry.axis} by {title_of(self.entry.value, self.metrics)}"

    def sheet(self, always_n: bool = True) -> Sheet:
        """One line a row."""
        return sheet_of(self, always_n)

    def lines(self) -> Iterator[Sequence[Any]]:
        """A header, then one line a candidate, best first."""
        kinds = ("mean", "deviation", "n", "planned")
        yield [
            *(*self.rows, self.entry.axis, *kinds),
            *(f"{what}_{kind}" for what in ("within", "reference") for kind in kinds),
            *("in_reach", "chosen", "notes"),
        ]
        for row, choice in self.choices.items():
            for candidate in choice.candidates:
                cells = (candidate.cell, candidate.near, candidate.reference)
                notes = dict.fromkeys(text for cell in cells if cell for text in cell.notes)
                yield [
                    *(None if value == ABSENT else value for value in (*row, candidate.header)),
                    *(number for cell in cells for number in numbers(cell).values()),
                    *(candidate.in_reach, candidate is choice.best, "; ".join(notes)),
                ]

    def content(self) -> dict[str, Any]:
        """What was asked for, and the candidates of each row, best first."""
        near = self.entry.within
        return {
            "best": self.entry.axis,
            "value": self.entry.value,
            "metrics": list(self.metrics),
            "better": "lower" if self.lower else "higher",
            "rows": list(self.rows),
            "average": list(self.entry.average),
            "over": list(self.entry.over),
            "added": list(self.added),
            "where": dict(self.entry.where),
            "within": near
            and {
                "value": near.value,
                "points": near.points,
                "of": dict(near.of),
                "better": "lower" if self.near_lower else "higher",
            },
            "epochs": list(self.epochs),
            "choices": [
                {
                    "row": values_of(self.rows, row, self.written),
                    "chosen": choice.best and self.written[self.entry.axis, choice.best.header],
                    "doubt": choice.doubt,
                    "candidates": [
                        {
                            **values_of((self.entry.axis,), (candidate.header,), self.written),
                            **numbers(candidate.cell),
                            "notes": dict(candidate.cell.notes),
                            "within": candidate.near and numbers(candidate.near),
                            "reference": candidate.reference and numbers(candidate.reference),
                            "in_reach": candidate.in_reach,
                        }
                        for candidate in choice.candidates
                    ],
                }
                for row, choice in self.choices.items()
            ],
        }


def numbers(cell: Cell | None) -> dict[str, Any]:
    """What a cell has, unrounded; nothing of anything where there is no cell."""
    if cell is None:
        return {"mean": None, "deviation": None, "n": None, "planned": None}
    return {"mean": cell.mean, "deviation": cell.deviation, "n": cell.n, "planned": cell.planned}


def choose(entry: Best, results: Results, place: str = "table") -> Chosen:
    """The choices of ``entry``; ``place`` says in errors where it stands.

    Raises:
        InputError: it names a node, a key or a metric that is not there, or it has nothing to choose from, no
            reference, or more than one.
    """
    asked = (*entry.rows, entry.axis, *entry.average, *entry.over)
    selection = select(entry.value, own(entry.where, entry.value), asked, results, place)
    members = [planned for planned in selection.found if entry.axis in planned.keys]
    if selection.found and not members:
        raise InputError(f"{place}.best: no trial of this table has {entry.axis}")
    near = Near(entry, entry.within, results, place) if entry.within else None
    groups = grouped(members, entry.rows, (entry.axis,))
    added = tuple(key for key in selection.keys if key not in asked and varies(key, groups.values()))
    rows = (*entry.rows, *added)
    if added:
        groups = grouped(members, rows, (entry.axis,))
    lower = lower_is_better(selection.metrics or (entry.value,), entry.better)
    found: dict[Header, list[Candidate]] = {}
    for column in ordered((column for _, column in groups), (entry.axis,), results.order):
        for row in (row for row, other in groups if other == column):
            there = groups[row, column]
            cell = cell_of(there, selection.names, results, entry.average)
            candidate = near.candidate(column[0], cell, there) if near else Candidate(column[0], cell)
            found.setdefault(row, []).append(candidate)
    if near:
        near.check(members)
    used = {planned.address for planned in members} | (near.used if near else set())
    missing = used - results.manifests.keys()
    named = {*selection.names, *(near.selection.names if near else ())} & used
    return Chosen(
        entry,
        selection.metrics,
        near.selection.metrics if near else (),
        lower,
        near.lower if near else False,
        rows,
        added,
        {row: Choice.among(found[row], lower) for row in ordered(found, rows, results.order)},
        writing(members),
        len(missing) + len(named),
        len(missing),
        results.epochs_of(sorted(used)),
    )
