"""Choices as text: a line a row, with what was chosen, what it costs and the runner-up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.report.candidates import Candidate, Choice
from orchestrator.report.cell import Cell
from orchestrator.report.notes import footnotes, notes_in
from orchestrator.report.numbers import cell_text, in_percent, named, number
from orchestrator.report.rows import ABSENT
from orchestrator.report.section import Sheet
from orchestrator.report.selection import title_of
from orchestrator.report.sheet import NOTHING, conditions, lacking, restrictions, statistic, unequal

if TYPE_CHECKING:
    from orchestrator.report.best import Chosen

HONEST = (
    "The choice was made on the results that are shown: it describes them and selects no model; the best of "
    "several looks better than it is."
)


def sheet_of(found: Chosen, always_n: bool = True) -> Sheet:
    """The text of ``found``. Without ``always_n``, an n that all cells share stands in the caption only."""
    counts = sorted({cell.n for cell in shown(found) if cell.n})
    percent = in_percent(found.metrics or (found.entry.value,))
    within = found.entry.within
    near_percent = within is not None and in_percent(found.near_metrics or (within.value,))
    doubts = dict.fromkeys(choice.doubt for choice in found.choices.values() if choice.doubt)
    notes = footnotes([*notes_in(shown(found)), *doubts])

    def text(cell: Cell | None, percent: bool) -> str:
        return cell_text(cell, percent, always_n or len(counts) > 1) + notes.marks(cell)

    lines = []
    for row, choice in found.choices.items():
        best, second = choice.best, choice.second
        mark = notes.mark(choice.doubt) if choice.doubt else ""
        line = [*row, (best.header if best else nothing(choice)) + mark]
        line.append(text(best.cell if best else None, percent))
        if within:
            reference = (best or choice.candidates[0]).reference
            reach = f"{len(choice.able)} of {len(choice.candidates)}"
            near = best.near if best else None
            line += [text(near, near_percent), text(reference, near_percent), reach]
        line.append(f"{second.header}: {text(second.cell, percent)}" if second else ABSENT)
        lines.append(tuple(line))
    value = named(title_of(found.entry.value, found.metrics), percent)
    beside: tuple[str, ...] = ()
    if within:
        near_value = named(title_of(within.value, found.near_metrics), near_percent)
        beside = (near_value, "reference", "in reach")
    return Sheet(
        title=found.title,
        caption=" ".join(caption(found, counts, near_percent)),
        header=(*found.rows, found.entry.axis, value, *beside, "runner-up"),
        lines=tuple(lines),
        headers=len(found.rows) + 1,
        notes=(*notes.numbered(), *unequal(found.entry.value, found.epochs)),
    )


def shown(found: Chosen) -> Iterator[Cell]:
    """The cells that stand in the text, line by line."""
    for choice in found.choices.values():
        first: Candidate | None = choice.best
        if first:
            yield first.cell
            yield from (cell for cell in (first.near, first.reference) if cell)
        elif reference := choice.candidates[0].reference:
            yield reference
        if choice.second:
            yield choice.second.cell


def nothing(choice: Choice) -> str:
    """Why nothing was chosen."""
    if all(candidate.cell.mean is None for candidate in choice.candidates):
        return "no results yet"
    reference = [candidate.reference for candidate in choice.candidates if candidate.reference]
    if all(cell.mean is None for cell in reference):
        return "no reference yet" if any(cell.planned for cell in reference) else "no reference"
    return "none in reach"


def caption(found: Chosen, counts: list[int], near_percent: bool) -> Iterator[str]:
    """What was chosen by which rule, how the numbers came about, and what they are not."""
    entry, within = found.entry, found.entry.within
    if not found.choices:
        yield from [NOTHING, *restrictions(entry.where, ())]
        return
    best = "lowest" if found.lower else "highest"
    rule = f"The {entry.axis} with the {best} mean {title_of(entry.value, found.metrics)}"
    if within:
        unit = "" if not near_percent else " point" if within.points == 1 else " points"
        side = "above" if found.near_lower else "below"
        rule += (
            f", of those whose mean {title_of(within.value, found.near_metrics)} is at most "
            f"{number(within.points)}{unit} {side} that of {conditions(within.of)} with the same other axes"
        )
    yield f"{rule}."
    yield statistic(entry.over, entry.average, counts)
    yield from restrictions(entry.where, found.added)
    yield from lacking(found.missing, found.planned)
    yield HONEST
