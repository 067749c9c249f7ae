"""A section that says how much of the variance of a value each factor, and each pair of them, explains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.report.ancestry import origins
from orchestrator.report.cell import notes_of, samples, value_of
from orchestrator.report.explain_sheet import caption, notes, sheet_of
from orchestrator.report.grouping import Header, header, ordered, values_of, writing
from orchestrator.report.rows import ABSENT, Planned, Results
from orchestrator.report.section import Sheet
from orchestrator.report.selection import Selection, select, title_of
from orchestrator.report.variance import Analysis, Source, analyse
from orchestrator.spec.sweep import Explain


@dataclass(frozen=True)
class Sample:
    """One result, of one stage or (where means are taken first) of several; each set counts once."""

    keys: Mapping[str, Any]
    """What all trials that share it agree on; the others are left out, as if it did not depend on them."""
    addresses: tuple[str, ...]
    shared: bool
    """Whether trials that differ in a factor share it."""


@dataclass(frozen=True)
class Explained:
    """The analyses of an entry, one per row."""

    entry: Explain
    metrics: tuple[str, ...]
    rows: tuple[str, ...]
    added: tuple[str, ...]
    analyses: Mapping[Header, Analysis]
    written: Mapping[tuple[str, str], Any]
    """Key and text in a header -> the value itself."""
    planned: int
    missing: int
    warnings: Mapping[str, int]
    """Warning -> how many of the results carry it."""
    shared: int
    """How many results stand for several levels of a factor."""
    related: int
    """How many results were made from something that a result of another cell was made from too."""
    lacking: tuple[str, ...]
    """Factors that some of the results do not have."""
    epochs: tuple[float, ...]

    @property
    def title(self) -> str:
        """The value with its split, and what is done with it."""
        return f"{title_of(self.entry.value, self.metrics)} explained"

    @property
    def n(self) -> int:
        """How many results there are."""
        return sum(analysis.n for analysis in self.analyses.values())

    def placed(self) -> Iterator[tuple[Header, Analysis, Source]]:
        """Every line with its row and the analysis it belongs to."""
        for row, analysis in self.analyses.items():
            for source in analysis.sources:
                yield row, analysis, source

    def sheet(self, always_n: bool = True) -> Sheet:
        """One line a factor, interaction and residual; the n stands in the caption."""
        return sheet_of(self)

    def lines(self) -> Iterator[Sequence[Any]]:
        """A header, then one line a factor, interaction and residual."""
        yield [
            *self.rows,
            "source",
            "squares",
            "eta_squared",
            "omega_squared",
            "df",
            "f",
            "p",
            "n",
            "balanced",
        ]
        for row, analysis, source in self.placed():
            head = [None if value == ABSENT else value for value in row]
            yield [*head, *data(source).values(), analysis.n, analysis.balanced]

    def content(self) -> dict[str, Any]:
        """What was asked for, and the analyses row by row."""
        return {
            "explain": list(self.entry.factors),
            "value": self.entry.value,
            "metrics": list(self.metrics),
            "rows": list(self.rows),
            "average": list(self.entry.average),
            "over": list(self.entry.over),
            "added": list(self.added),
            "where": dict(self.entry.where),
            "epochs": list(self.epochs),
            "caption": caption(self),
            "notes": list(notes(self)),
            "analyses": [
                {
                    "row": values_of(self.rows, row, self.written),
                    "n": analysis.n,
                    "counts": list(analysis.counts),
                    "balanced": analysis.balanced,
                    "pooled": analysis.pooled,
                    "total": analysis.total,
                    "sources": [data(source) for source in analysis.sources],
                }
                for row, analysis in self.analyses.items()
            ],
        }


def explain(entry: Explain, results: Results, place: str = "table") -> Explained:
    """The analyses of ``entry``; ``place`` says in errors where it stands.

    Raises:
        InputError: it names a node, a key or a metric that is not there, or a metric of several splits.
    """
    asked = (*entry.rows, *entry.factors, *entry.average, *entry.over)
    chosen = select(entry.value, entry.where, asked, results, place)
    found = list(sampled(chosen, entry))
    there = [sample for sample in found if all(address in chosen.names for address in sample.addresses)]
    added = tuple(
        key for key in chosen.keys if key not in asked and differs(key, found, (*entry.rows, *entry.factors))
    )
    rows = (*entry.rows, *added)
    groups: dict[Header, dict[Header, list[float]]] = defaultdict(lambda: defaultdict(list))
    for sample in there:
        value = value_of(sample.addresses, chosen.names, results)
        groups[header(sample, rows)][header(sample, entry.factors)].append(value)
    return Explained(
        entry,
        chosen.metrics,
        rows,
        added,
        {
            row: analyse(
                {levels: groups[row][levels] for levels in in_order(groups[row], entry, results)},
                entry.factors,
            )
            for row in ordered(groups, rows, results.order)
        },
        writing(chosen.found),
        chosen.planned,
        chosen.missing,
        notes_of([sample.addresses for sample in there], results),
        sum(sample.shared for sample in there),
        related(there, rows, entry.factors, results),
        tuple(key for key in entry.factors if any(key not in sample.keys for sample in there)),
        results.epochs_of(address for sample in there for address in sample.addresses),
    )


def sampled(chosen: Selection, entry: Explain) -> Iterator[Sample]:
    """The results of an entry, those that are there and those that are not."""
    for addresses, members in samples(chosen.found, entry.average).items():
        if len(members) == 1:
            yield Sample(members[0].keys, addresses, shared=False)
            continue
        agreed = {key: value for key, value in members[0].keys.items() if agree(key, members)}
        shared = any(not agree(key, members) for key in entry.factors)
        yield Sample(agreed, addresses, shared)


def agree(key: str, members: Sequence[Planned]) -> bool:
    """Whether all ``members`` have the same value of a key."""
    return len({header(planned, (key,)) for planned in members}) == 1


def differs(key: str, found: Iterable[Sample], keys: Sequence[str]) -> bool:
    """Whether results with the same values of ``keys`` differ in ``key``."""
    values: dict[Header, Header] = {}
    return any(
        values.setdefault(header(sample, keys), header(sample, (key,))) != header(sample, (key,))
        for sample in found
    )


def in_order(cells: Iterable[Header], entry: Explain, results: Results) -> tuple[Header, ...]:
    """The cells as in the sweep file, so that sums are rounded alike whatever the order of the plan."""
    return ordered(cells, entry.factors, results.order)


def related(there: Sequence[Sample], rows: Sequence[str], factors: Sequence[str], results: Results) -> int:
    """How many results were made from something that a result of another cell of their row was, too."""
    made = [
        {
            (header(sample, rows), origin)
            for address in sample.addresses
            for origin in origins(address, results.manifests)
        }
        for sample in there
    ]
    cells: dict[tuple[Header, str], set[Header]] = defaultdict(set)
    for sample, sources in zip(there, made, strict=True):
        for origin in sources:
            cells[origin].add(header(sample, factors))
    return sum(any(len(cells[origin]) > 1 for origin in sources) for sources in made)


def data(source: Source) -> dict[str, Any]:
    """A line as data."""
    return {
        "source": source.name,
        "squares": source.squares,
        "eta_squared": source.share,
        "omega_squared": source.unbiased,
        "df": source.degrees,
        "f": source.ratio,
        "p": source.p,
    }
