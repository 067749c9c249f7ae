"""A table of a sweep: results by rows and columns; a cell has mean, sample standard deviation and n."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.report.cell import Cell, cell_of
from orchestrator.report.grouping import Header, grouped, ordered, values_of, varies, writing
from orchestrator.report.rows import ABSENT, Results
from orchestrator.report.section import Sheet
from orchestrator.report.selection import select, title_of
from orchestrator.report.sheet import sheet_of
from orchestrator.spec.sweep import Table


@dataclass(frozen=True)
class Grid:
    """A table filled with what there is."""

    value: str
    """What was asked for: ``node.metric``."""
    metrics: tuple[str, ...]
    """What it stands for, with the split: usually one; none before there is a result."""
    rows: tuple[str, ...]
    """The keys of the row headers, those in ``added`` last."""
    columns: tuple[str, ...]
    over: tuple[str, ...]
    added: tuple[str, ...]
    """Keys that vary inside the cells that were asked for, and so became row headers."""
    where: Mapping[str, Any]
    row_headers: tuple[Header, ...]
    column_headers: tuple[Header, ...]
    cells: Mapping[tuple[Header, Header], Cell]
    """Only the cells that the sweep plans."""
    planned: int
    """How many results it has when everything is done; one that shows in several columns counts once."""
    missing: int
    """How many of them are missing."""
    written: Mapping[tuple[str, str], Any]
    """Key and text in a header -> the value itself."""
    average: tuple[str, ...] = ()
    epochs: tuple[float, ...] = ()
    """The different epochs of training behind its results, ascending, as far as they are known."""

    @property
    def title(self) -> str:
        """The value with its split where that is one: ``clean.test.accuracy``."""
        return title_of(self.value, self.metrics)

    @cached_property
    def incomplete(self) -> int:
        """How many cells lack a result."""
        return sum(cell.n < cell.planned for cell in self.cells.values())

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """The different n of its cells that have results, ascending."""
        return tuple(sorted({cell.n for cell in self.cells.values() if cell.n}))

    def sheet(self, always_n: bool = True) -> Sheet:
        """Its text, cell by cell."""
        return sheet_of(self, always_n)

    def placed(self) -> Iterator[tuple[Header, Header, Cell]]:
        """Its cells with their row and column, in the order of these."""
        for row in self.row_headers:
            for column in self.column_headers:
                if cell := self.cells.get((row, column)):
                    yield row, column, cell

    def lines(self) -> Iterator[Sequence[Any]]:
        """A header, then one line a cell; an axis that a trial lacks is None."""
        yield [*self.rows, *self.columns, "mean", "deviation", "n", "planned", "notes"]
        for row, column, cell in self.placed():
            head = [None if value == ABSENT else value for value in (*row, *column)]
            yield [*head, cell.mean, cell.deviation, cell.n, cell.planned, "; ".join(cell.notes)]

    def content(self) -> dict[str, Any]:
        """What it is, and its cells in the order of its rows and columns."""
        cells = [
            {
                "row": values_of(self.rows, row, self.written),
                "column": values_of(self.columns, column, self.written),
                "mean": cell.mean,
                "deviation": cell.deviation,
                "n": cell.n,
                "planned": cell.planned,
                "values": list(cell.values),
                "notes": dict(cell.notes),
            }
            for row, column, cell in self.placed()
        ]
        return {
            "value": self.value,
            "metrics": list(self.metrics),
            "rows": list(self.rows),
            "columns": list(self.columns),
            "average": list(self.average),
            "over": list(self.over),
            "added": list(self.added),
            "where": dict(self.where),
            "epochs": list(self.epochs),
            "cells": cells,
        }


def fill(table: Table, results: Results, place: str = "table") -> Grid:
    """The grid of ``table``; ``place`` says in errors where the table stands.

    Raises:
        InputError: it names a node, a key or a metric that is not there, or a metric of several splits.
    """
    asked = (*table.rows, *table.columns, *table.average, *table.over)
    chosen = select(table.value, table.where, asked, results, place)
    groups = grouped(chosen.found, table.rows, table.columns)
    added = tuple(key for key in chosen.keys if key not in asked and varies(key, groups.values()))
    rows = (*table.rows, *added)
    if added:
        groups = grouped(chosen.found, rows, table.columns)
    return Grid(
        table.value,
        chosen.metrics,
        rows,
        table.columns,
        table.over,
        added,
        table.where,
        ordered((row for row, _ in groups), rows, results.order),
        ordered((column for _, column in groups), table.columns, results.order),
        {place: cell_of(members, chosen.names, results, table.average) for place, members in groups.items()},
        chosen.planned,
        chosen.missing,
        writing(chosen.found),
        table.average,
        results.epochs_of(chosen.names),
    )
