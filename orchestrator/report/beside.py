"""Several values of a sweep beside each other: one line a row, a group of columns for each value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import InputError
from orchestrator.report.grouping import Header, ordered
from orchestrator.report.notes import footnotes, notes_in
from orchestrator.report.rows import Results
from orchestrator.report.section import Sheet
from orchestrator.report.sheet import (
    column_title,
    lacking,
    restrictions,
    shown_columns,
    statistic,
    texts,
    title,
    unequal,
)
from orchestrator.report.table import Grid, fill
from orchestrator.spec.sweep import Beside


@dataclass(frozen=True)
class Group:
    """The tables of several values that share their rows."""

    entry: Beside
    grids: tuple[Grid, ...]
    row_headers: tuple[Header, ...]
    """The rows that any of the values has."""

    @property
    def title(self) -> str:
        """The values, with their splits."""
        return ", ".join(grid.title for grid in self.grids)

    def sheet(self, always_n: bool = True) -> Sheet:
        """Its text: where a value has no such row there is a dash."""
        counts = tuple(sorted({n for grid in self.grids for n in grid.counts}))
        with_n = always_n or len(counts) > 1
        cells = (
            grid.cells[row, column]
            for row in self.row_headers
            for grid in self.grids
            for column in shown_columns(grid)
            if (row, column) in grid.cells
        )
        notes = footnotes(notes_in(cells))
        header = [name for grid in self.grids for name in self._names(grid)]
        lines = (
            (*row, *(text for grid in self.grids for text in texts(grid, row, notes, with_n)))
            for row in self.row_headers
        )
        epochs = tuple(sorted({number for grid in self.grids for number in grid.epochs}))
        return Sheet(
            title=self.title,
            caption=self._caption(counts),
            header=(*self.entry.rows, *header),
            lines=tuple(lines),
            headers=len(self.entry.rows),
            notes=(*notes.numbered(), *unequal(self.entry.values[0], epochs)),
        )

    @staticmethod
    def _names(grid: Grid) -> Iterator[str]:
        """The headers of the columns of one value."""
        for column in shown_columns(grid):
            yield f"{title(grid)} {column_title(grid, column)}" if grid.columns else title(grid)

    def _caption(self, counts: Sequence[int]) -> str:
        """How the numbers came about, and what is missing."""
        entry = self.entry
        missing, planned = (
            sum(getattr(grid, kind) for grid in self.grids) for kind in ("missing", "planned")
        )
        first = statistic(entry.over, entry.average, counts)
        return " ".join([first, *restrictions(entry.where, ()), *lacking(missing, planned)])

    def lines(self) -> Iterator[Sequence[Any]]:
        """A header, then one line a cell of each value; an axis that a trial lacks is None."""
        for index, grid in enumerate(self.grids):
            head, *cells = grid.lines()
            if index == 0:
                yield ["value", *head]
            yield from ([grid.title, *line] for line in cells)

    def content(self) -> Mapping[str, Any]:
        """The tables of all values."""
        return {"values": list(self.entry.values), "tables": [grid.content() for grid in self.grids]}


def beside(entry: Beside, results: Results, place: str = "table") -> Group:
    """The values of ``entry``; ``place`` says in errors where it stands.

    Raises:
        InputError: as for a table of one of them; or one has several results in a row.
    """
    grids = tuple(fill(table, results, place) for table in entry.tables())
    for grid in grids:
        if grid.added:
            raise InputError(
                f"{place}: {' and '.join(grid.added)} must stand in rows, columns, average or where: "
                f"otherwise one line has several results of {grid.value}"
            )
    rows = (row for grid in grids for row in grid.row_headers)
    return Group(entry, grids, ordered(rows, entry.rows, results.order))
