"""What a best value is chosen from, and how near each candidate is to a reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from orchestrator.errors import InputError
from orchestrator.report.cell import Cell, cell_of
from orchestrator.report.grouping import Header, header, selected, varies
from orchestrator.report.numbers import in_percent, lower_is_better
from orchestrator.report.rows import Planned, Results
from orchestrator.report.selection import select
from orchestrator.report.sheet import conditions
from orchestrator.spec.sweep import Best, Within

#: Digits behind the point: means that differ less are equal.
DIGITS = 12
AHEAD = "less than one standard deviation ahead of the runner-up"
ALONE = "one result each: no spread says how sure the lead over the runner-up is"
TIE = "no better than the runner-up: of equals the first stands here"


@dataclass(frozen=True)
class Candidate:
    """One value of the axis in one row."""

    header: str
    cell: Cell
    """The value that decides."""
    near: Cell | None = None
    """What must stay near the reference; None where nothing must."""
    reference: Cell | None = None
    in_reach: bool = True
    """Whether it is near enough; what has no result yet is not."""


@dataclass(frozen=True)
class Choice:
    """One row: what there is to choose from, best first, and what is not in reach last."""

    candidates: tuple[Candidate, ...]

    @classmethod
    def among(cls, candidates: Sequence[Candidate], lower: bool) -> Self:
        """The choice among ``candidates``; of equals, the earlier one."""

        def rank(candidate: Candidate) -> tuple[bool, float]:
            mean = candidate.cell.mean
            worth = float("-inf") if mean is None else round(-mean if lower else mean, DIGITS)
            return not candidate.in_reach or mean is None, -worth

        return cls(tuple(sorted(candidates, key=rank)))

    @property
    def able(self) -> tuple[Candidate, ...]:
        """The candidates that may be chosen, best first."""
        return tuple(
            candidate
            for candidate in self.candidates
            if candidate.in_reach and candidate.cell.mean is not None
        )

    @property
    def best(self) -> Candidate | None:
        """The best candidate in reach, if there is one."""
        return next(iter(self.able), None)

    @property
    def second(self) -> Candidate | None:
        """The runner-up in reach, if there is one."""
        return next(iter(self.able[1:]), None)

    @property
    def doubt(self) -> str | None:
        """Why the best may not be the best."""
        if self.best is None or self.second is None:
            return None
        first, second = self.best.cell, self.second.cell
        lead = round(abs((first.mean or 0.0) - (second.mean or 0.0)), DIGITS)
        if not lead:
            return TIE
        if first.deviation is None and second.deviation is None:
            return ALONE
        return AHEAD if lead < max(first.deviation or 0.0, second.deviation or 0.0) else None


class Near:
    """What must stay near a reference, and the reference of every trial."""

    def __init__(self, entry: Best, within: Within, results: Results, place: str) -> None:
        self.entry = entry
        self.within = within
        self.results = results
        self.place = f"{place}.within"
        mine = {key: value for key, value in own(entry.where, within.value).items() if "." in key}
        self.selection = select(within.value, mine, within.of, results, self.place)
        metrics = self.selection.metrics or (within.value,)
        self.lower = lower_is_better(metrics, within.better)
        self.reach = within.points / 100 if in_percent(metrics) else within.points
        self.used: set[str] = set()
        """The addresses of everything that was asked for."""
        self.references = 0
        self.at: dict[frozenset[tuple[str, Any]], list[Planned]] = defaultdict(list)
        self.kinds: dict[tuple[str, ...], list[Planned]] = defaultdict(list)
        """The references, by the axes in which they must agree with a trial that has them."""
        self.indexes: dict[tuple[str, ...], dict[Header, list[Planned]]] = {}
        repeats = {key: value for key, value in entry.where.items() if key in entry.over}
        for planned in self.selection.found:
            self.at[point(planned)].append(planned)
            there = {key: value for key, value in repeats.items() if key in planned.keys}
            if selected({**there, **within.of}, planned.keys):
                free = (*within.of, *entry.over)
                axes = tuple(key for key in planned.keys if "." not in key and key not in free)
                self.kinds[axes].append(planned)

    def candidate(self, name: str, cell: Cell, members: Sequence[Planned]) -> Candidate:
        """The candidate of these trials with what must stay near, and whether it does."""
        beside = list({id(planned): planned for m in members for planned in self.at[point(m)]}.values())
        references = list({id(planned): planned for m in members for planned in self.matching(m)}.values())
        self.references += len(references)
        near, reference = self.cell(beside), self.cell(references)
        if near.mean is None or reference.mean is None:
            return Candidate(name, cell, near, reference, in_reach=False)
        gap = near.mean - reference.mean if self.lower else reference.mean - near.mean
        return Candidate(name, cell, near, reference, round(gap - self.reach, DIGITS) <= 0)

    def cell(self, members: Sequence[Planned]) -> Cell:
        """The cell of these, which must be one."""
        for key in dict.fromkeys(key for planned in members for key in planned.keys):
            if key not in (*self.entry.over, *self.entry.average) and varies(key, [members]):
                where = "where" if "." in key else "within.of"
                raise InputError(
                    f"{self.place}: {key} varies inside a cell; name one value of it in `{where}`"
                )
        self.used.update(planned.address for planned in members)
        return cell_of(members, self.selection.names, self.results, self.entry.average)

    def matching(self, member: Planned) -> Iterator[Planned]:
        """The references of a trial: those that agree on every axis that both have."""
        for kind, references in self.kinds.items():
            axes = tuple(key for key in kind if key in member.keys)
            index = (*kind, "", *axes)
            if index not in self.indexes:
                self.indexes[index] = defaultdict(list)
                for planned in references:
                    self.indexes[index][header(planned, axes)].append(planned)
            yield from self.indexes[index].get(header(member, axes), ())

    def check(self, members: Sequence[Planned]) -> None:
        """Raise an error if no trial at all has a reference."""
        if members and not self.references:
            raise InputError(
                f"{self.place}.of: no trial has {conditions(self.within.of)} and otherwise the axes of a row"
            )


def own(where: Mapping[str, Any], value: str) -> dict[str, Any]:
    """Of a condition, what speaks of axes and of the keys of the node of ``value``."""
    node = value.partition(".")[0]
    return {key: wanted for key, wanted in where.items() if key.rpartition(".")[0] in ("", node)}


def point(planned: Planned) -> frozenset[tuple[str, Any]]:
    """What all outputs of a trial share: its axes."""
    return frozenset((key, value) for key, value in planned.keys.items() if "." not in key)
