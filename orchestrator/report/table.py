"""A table of a sweep: results by rows and columns; a cell has mean, sample standard deviation and n."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrator.errors import InputError, unknown
from orchestrator.report.grouping import Header, grouped, header, ordered, selected, varies
from orchestrator.report.rows import Planned, Results, text_of
from orchestrator.spec.sweep import Table

STALE = "stale: something it was made from has been rebuilt with another result since; run the sweep again"


@dataclass(frozen=True)
class Cell:
    """The results of one row and column; each stage counts once, however many trials share it.

    Where the table averages first, a value is such a mean, and only of all that belong to it.
    """

    values: tuple[float, ...]
    planned: int
    """How many values there are when everything is done."""
    notes: Mapping[str, int]
    """Warning -> how many of the values carry it."""

    @property
    def n(self) -> int:
        """How many values there are."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """The mean of the values; None where there is none."""
        return math.fsum(self.values) / self.n if self.values else None

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation (n - 1); None for fewer than two values."""
        if self.n < 2 or self.mean is None:  # noqa: PLR2004 - a spread takes two
            return None
        centre = self.mean
        return math.sqrt(math.fsum((value - centre) ** 2 for value in self.values) / (self.n - 1))


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
        node = self.value.partition(".")[0]
        return f"{node}.{self.metrics[0]}" if len(self.metrics) == 1 else self.value

    @cached_property
    def incomplete(self) -> int:
        """How many cells lack a result."""
        return sum(cell.n < cell.planned for cell in self.cells.values())

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """The different n of its cells that have results, ascending."""
        return tuple(sorted({cell.n for cell in self.cells.values() if cell.n}))


def fill(table: Table, results: Results, place: str = "table") -> Grid:
    """The grid of ``table``; ``place`` says in errors where the table stands.

    Raises:
        InputError: it names a node, a key or a metric that is not there, or a metric of several splits.
    """
    node, _, metric = table.value.partition(".")
    found = [planned for planned in results.planned if planned.node == node]
    if not found and node not in results.nodes:
        nodes = {*results.nodes, *(planned.node for planned in results.planned)}
        raise InputError(f"{place}.value: {unknown('node', node, nodes)}")
    keys = list(dict.fromkeys([*results.order, *(key for planned in found for key in planned.keys)]))
    for key in (*table.rows, *table.columns, *table.average, *table.over, *table.where):
        # `over` is seed where nothing is said, and a sweep need not have it
        if found and key not in keys and key != "seed":
            raise InputError(f"{place}: {unknown('key', key, keys)}")
    found = [planned for planned in found if selected(table.where, planned.keys)]
    names = resolve(metric, found, results, place)
    waiting = {planned.address for planned in found} - results.manifests.keys()
    groups = grouped(found, table.rows, table.columns)
    asked = {*table.rows, *table.columns, *table.average, *table.over}
    added = tuple(key for key in keys if key not in asked and varies(key, groups.values()))
    rows = (*table.rows, *added)
    if added:
        groups = grouped(found, rows, table.columns)
    return Grid(
        table.value,
        tuple(dict.fromkeys(names.values())),
        rows,
        table.columns,
        table.over,
        added,
        table.where,
        ordered((row for row, _ in groups), rows, results.order),
        ordered((column for _, column in groups), table.columns, results.order),
        {place: cell_of(members, names, results, table.average) for place, members in groups.items()},
        len(waiting) + len(names),
        len(waiting),
        {(key, text_of(value)): value for planned in found for key, value in planned.keys.items()},
        table.average,
        tuple(sorted({results.epochs[address] for address in names if address in results.epochs})),
    )


def resolve(metric: str, found: Iterable[Planned], results: Results, place: str) -> dict[str, str]:
    """Address -> the name of ``metric`` in its manifest, where the split may have been left out.

    Raises:
        InputError: there are manifests and none has this metric, or one has it for several splits.
    """
    names: dict[str, str] = {}
    others: set[str] = set()
    for address in dict.fromkeys(planned.address for planned in found):
        manifest = results.manifests.get(address)
        if manifest is None:
            continue
        fits = [name for name in manifest.metrics if name == metric or name.endswith(f".{metric}")]
        if metric in fits:
            fits = [metric]
        if len(fits) > 1:
            raise InputError(
                f"{place}.value: {metric!r} is there for several splits: {', '.join(sorted(fits))}"
            )
        if fits:
            names[address] = fits[0]
        others.update(manifest.metrics)
    if others and not names:
        raise InputError(f"{place}.value: {unknown('metric', metric, others)}")
    return names


def cell_of(
    members: Sequence[Planned], names: Mapping[str, str], results: Results, average: Sequence[str] = ()
) -> Cell:
    """The cell of ``members``; ``names`` says which have a result. What is done without one never will.

    Each value is the mean of those that differ in the keys ``average`` alone.
    """
    sets = averaged(members, average)
    there = [addresses for addresses in sets if all(address in names for address in addresses)]
    able = [
        addresses
        for addresses in sets
        if all(address in names or address not in results.manifests for address in addresses)
    ]
    notes: Counter[str] = Counter()
    for addresses in there:
        notes.update({text for address in addresses for text in results.warnings.get(address, ())})
    if old := sum(any(address in results.stale for address in addresses) for addresses in there):
        notes[STALE] = old
    values = (
        math.fsum(results.manifests[address].metrics[names[address]] for address in addresses)
        / len(addresses)
        for addresses in there
    )
    return Cell(tuple(values), len(able), notes)


def averaged(members: Iterable[Planned], keys: Sequence[str]) -> list[tuple[str, ...]]:
    """The addresses of ``members`` that differ in ``keys`` alone, together; each set once."""
    if not keys:
        return list(dict.fromkeys((planned.address,) for planned in members))
    sets: dict[Header, dict[str, None]] = defaultdict(dict)
    for planned in members:
        others = [key for key in planned.keys if key not in keys]
        sets[(*others, *header(planned, others))][planned.address] = None
    return list(dict.fromkeys(tuple(addresses) for addresses in sets.values()))
