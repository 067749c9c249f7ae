"""A grid as text: a title, a sentence about how it was made, a header, lines and footnotes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.report.ancestry import EPOCHS
from orchestrator.report.notes import Notes, footnotes, notes_in
from orchestrator.report.numbers import cell_text, counted, in_percent, named, number
from orchestrator.report.rows import ABSENT, text_of
from orchestrator.report.section import Sheet
from orchestrator.spec.sweep import MODEL
from orchestrator.spec.values import shown

if TYPE_CHECKING:
    from orchestrator.report.grouping import Header
    from orchestrator.report.table import Grid


NOTHING = "The plan has nothing of this."


def sheet_of(grid: Grid, always_n: bool = True) -> Sheet:
    """The text of ``grid``. Without ``always_n``, an n that all cells share stands in the caption only."""
    with_n = always_n or len(grid.counts) > 1
    notes = footnotes(notes_in(cell for _, _, cell in grid.placed()))
    return Sheet(
        title=title(grid),
        caption=caption(grid),
        header=(*grid.rows, *(column_title(grid, column) for column in shown_columns(grid))),
        lines=tuple((*row, *texts(grid, row, notes, with_n)) for row in grid.row_headers),
        headers=len(grid.rows),
        notes=(*notes.numbered(), *unequal(grid.value, grid.epochs)),
    )


def title(grid: Grid) -> str:
    """The value, and its unit where that is percent."""
    return named(grid.title, percents(grid))


def percents(grid: Grid) -> bool:
    """Whether its numbers are shown in percent."""
    return in_percent(grid.metrics or (grid.value,))


def shown_columns(grid: Grid) -> Sequence[Header]:
    """Its columns: one where no keys are asked for, none where no trial has such a value."""
    return grid.column_headers or (() if grid.columns else ((),))


def texts(grid: Grid, row: Header, notes: Notes, with_n: bool) -> Iterator[str]:
    """The cells of one row, with the marks of their ``notes``."""
    for column in shown_columns(grid):
        cell = grid.cells.get((row, column))
        yield cell_text(cell, percents(grid), with_n) + notes.marks(cell)


def column_title(grid: Grid, column: Sequence[str]) -> str:
    """The header of a column: ``sparsity=0.9``; the metric's name where the table has no column keys.

    A key of the table's own node goes without the node: ``ood=textures`` in a table of ``ood.auroc``.
    """
    node, _, metric = grid.title.partition(".")
    pairs = zip(grid.columns, column, strict=True)
    parts = [f"{key.removeprefix(f'{node}.')}={value}" for key, value in pairs if value != ABSENT]
    return " ".join(parts) or metric


def caption(grid: Grid) -> str:
    """How the numbers came about, what was added to what was asked for, and what is missing."""
    if not grid.cells:
        return " ".join([NOTHING, *restrictions(grid.where, ())])
    parts = [statistic(grid.over, grid.average, grid.counts), *restrictions(grid.where, grid.added)]
    parts += lacking(grid.missing, grid.planned, f", in {grid.incomplete} of {len(grid.cells)} cells")
    return " ".join(parts)


def statistic(over: Sequence[str], average: Sequence[str], counts: Sequence[int]) -> str:
    """A sentence about what each number is."""
    spread = f" over {' and '.join(over)}" if over else ""
    first = f" of means over {' and '.join(average)}" if average else ""
    return f"Mean ± sample standard deviation{spread}{first}, {counted(counts)}."


def lacking(missing: int, planned: int, where: str = "") -> list[str]:
    """A sentence about results that are missing, if any are."""
    return [f"Incomplete: {missing} of {planned} results are missing{where}."] if missing else []


def restrictions(where: Mapping[str, Any], added: Sequence[str]) -> list[str]:
    """Sentences about what was left out, and about keys that were added to the row headers."""
    parts = []
    if where:
        parts.append(f"Only {conditions(where)}.")
    if added:
        parts.append(f"{' and '.join(added)} varied inside the cells and became row headers.")
    return parts


def conditions(where: Mapping[str, Any]) -> str:
    """A condition as people read it: ``method=[magnitude, rigl], seed=0``."""
    return ", ".join(f"{key}={text_of(shown(value))}" for key, value in where.items())


def unequal(value: str, epochs: Sequence[float]) -> tuple[str, ...]:
    """A note that some networks learned longer than others, if so, unless ``value`` is what says it."""
    if len(epochs) < 2 or value.endswith(f".{EPOCHS}"):  # noqa: PLR2004 - to differ takes two
        return ()
    least, most = number(epochs[0]), number(epochs[-1])
    return (
        f"The networks of this table had {least} to {most} epochs of training in all; {MODEL}.{EPOCHS} says "
        "which had how many.",
    )
