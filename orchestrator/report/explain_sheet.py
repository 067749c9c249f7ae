"""Explained variance as text: one line a factor, interaction and residual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orchestrator.report.notes import counted_notes
from orchestrator.report.numbers import counted
from orchestrator.report.rows import ABSENT
from orchestrator.report.section import Sheet
from orchestrator.report.sheet import NOTHING, lacking, restrictions, unequal
from orchestrator.report.variance import Analysis, Source

if TYPE_CHECKING:
    from orchestrator.report.explain import Explained

COLUMNS = ("source", "η² (%)", "ω² (%)", "df", "F", "p")
SMALL = 0.001


def sheet_of(found: Explained) -> Sheet:
    """The text of ``found``; the n stands in the caption."""
    return Sheet(
        title=found.title,
        caption=caption(found),
        header=(*found.rows, *COLUMNS),
        lines=tuple((*row, *texts(source)) for row, _, source in found.placed()),
        headers=len(found.rows) + 1,
        notes=tuple(notes(found)),
    )


def texts(source: Source) -> tuple[str, ...]:
    """A line as people read it."""
    p = ABSENT if source.p is None else f"<{SMALL}" if source.p < SMALL else f"{source.p:.3f}"
    return (
        source.name,
        f"{100 * source.share:.1f}",
        ABSENT if source.unbiased is None else f"{100 * source.unbiased:.1f}",
        str(source.degrees),
        ABSENT if source.ratio is None else f"{source.ratio:.2f}",
        p,
    )


def caption(found: Explained) -> str:
    """How the numbers came about, what was added to what was asked for, and what is missing."""
    if not found.planned:
        return " ".join([NOTHING, *restrictions(found.entry.where, ())])
    analyses = [analysis for analysis in found.analyses.values() if analysis.n]
    first = f" (means over {' and '.join(found.entry.average)})" if found.entry.average else ""
    sizes = counted(sorted({analysis.n for analysis in analyses}))
    cells = sorted({len(analysis.counts) for analysis in analyses})
    inside = counted(sorted({count for analysis in analyses for count in analysis.counts}))
    parts = [f"Analysis of variance{first}, {sizes}."]
    if cells:
        many = str(cells[0]) if len(cells) == 1 else f"{cells[0]} to {cells[-1]}"
        parts = [f"Analysis of variance{first}, {sizes}: {many} cells with {inside} each."]
        parts.append(method(analyses))
    parts += restrictions(found.entry.where, found.added)
    parts += lacking(found.missing, found.planned)
    return " ".join(parts)


def method(analyses: Sequence[Analysis]) -> str:
    """Which sums of squares these are, and what F compares with."""
    if all(analysis.balanced for analysis in analyses):
        kind = "Classical sums of squares of a balanced layout"
    else:
        kind = "Not balanced: type II sums of squares (each term after all that do not contain it)"
    if not all(analysis.adds_up for analysis in analyses if analysis.sources):
        kind += ", whose shares need not add up to 100 %"
    return f"{kind}. η² is the share of the total, ω² the same less what chance gives (below 0: nothing)."


def notes(found: Explained) -> Iterator[str]:
    """What a reader must know to believe the numbers as far as they go."""
    over = " and ".join(found.entry.over)
    pooled = {analysis.pooled for analysis in found.analyses.values()}
    if "" in pooled:
        yield f"The residual is the spread inside cells{f', over {over}' if over else ''}."
    for name in sorted(pooled - {""}):
        yield f"Where no cell has two results, the {name} are the residual."
    for row, analysis in found.analyses.items():
        where = f"{', '.join(row)}: " if row else ""
        for name in analysis.idle:
            yield f"{where}{name} has fewer than two values among the results, and explains nothing."
        if not analysis.sources and len(analysis.idle) < len(found.entry.factors):
            yield f"{where}all results are the same: there is nothing to explain."
    if found.lacking:
        yield (
            f"Results without {' or '.join(found.lacking)} take no part in comparing its values; "
            "to have it or not counts for the factor that decides it."
        )
    if found.shared:
        yield (
            f"{found.shared} of {found.n} results come from one stage that several cells share: each counts "
            "once, and not in comparing those cells."
        )
    if found.related:
        factor = f"; {over} as a factor takes out what its runs share" if over else ""
        yield (
            f"{found.related} of {found.n} results were made from something that results of other cells were "
            f"made from too, and so are not independent: F and p are approximate, η² is not affected{factor}."
        )
    for text, count in counted_notes(found.warnings).items():
        yield f"{count} of {found.n} results: {text}"
    yield from unequal(found.entry.value, found.epochs)
