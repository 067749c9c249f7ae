"""A cell of a table: the results that stand in it, with mean, sample standard deviation and n."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.report.grouping import Header, header
from orchestrator.report.rows import Planned, Results

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


def cell_of(
    members: Sequence[Planned], names: Mapping[str, str], results: Results, average: Sequence[str] = ()
) -> Cell:
    """The cell of ``members``; ``names`` says which have a result. What is done without one never will.

    Each value is the mean of those that differ in the keys ``average`` alone.
    """
    sets = samples(members, average)
    there = [addresses for addresses in sets if all(address in names for address in addresses)]
    able = [
        addresses
        for addresses in sets
        if all(address in names or address not in results.manifests for address in addresses)
    ]
    values = tuple(value_of(addresses, names, results) for addresses in there)
    return Cell(values, len(able), notes_of(there, results))


def value_of(addresses: Sequence[str], names: Mapping[str, str], results: Results) -> float:
    """The mean of what the outputs at ``addresses`` have under their ``names``."""
    found = (results.manifests[address].metrics[names[address]] for address in addresses)
    return math.fsum(found) / len(addresses)


def notes_of(there: Iterable[Sequence[str]], results: Results) -> dict[str, int]:
    """Warning -> how many of the values carry it, each made of some addresses; what is stale is last."""
    notes: Counter[str] = Counter()
    old = 0
    for addresses in there:
        notes.update({text for address in addresses for text in results.warnings.get(address, ())})
        old += any(address in results.stale for address in addresses)
    return {**notes, STALE: old} if old else dict(notes)


def samples(members: Iterable[Planned], keys: Sequence[str] = ()) -> dict[tuple[str, ...], list[Planned]]:
    """The addresses of ``members`` that differ in ``keys`` alone, together, with these members.

    Each set of addresses stands once, however many trials share it.
    """
    found: dict[tuple[str, ...], list[Planned]] = defaultdict(list)
    if not keys:
        for planned in members:
            found[planned.address,].append(planned)
        return found
    sets: dict[Header, list[Planned]] = defaultdict(list)
    for planned in members:
        others = [key for key in planned.keys if key not in keys]
        sets[(*others, *header(planned, others))].append(planned)
    for same in sets.values():
        found[tuple(dict.fromkeys(planned.address for planned in same))] += same
    return found
