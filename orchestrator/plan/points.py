"""The points of a sweep as rows of codes: a column an axis, a code a value, -1 where the axis is absent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import Problem, SpecError, unknown
from orchestrator.spec.sweep import Sweep
from orchestrator.spec.values import Condition, key_of, matches, shown

ABSENT = -1
MOST = 1_000_000
Rows = NDArray[np.int32]


class Axes:
    """The axes in file order, with every value that occurs: listed, included or reached by a reference."""

    def __init__(self, sweep: Sweep) -> None:
        self.names = [axis.name for axis in sweep.axes]
        self.index = {name: i for i, name in enumerate(self.names)}
        self.only = [axis.only for axis in sweep.axes]
        self.places = [axis.where for axis in sweep.axes]
        self.values: list[list[Any]] = [[] for _ in self.names]
        self._codes: list[dict[Any, int]] = [{} for _ in self.names]
        self.listed = [[self.code(i, value) for value in axis.values] for i, axis in enumerate(sweep.axes)]
        self._matching: dict[tuple[int, int, int], bool] = {}

    def code(self, axis: int, value: Any) -> int:
        """The code of a value; a new value gets the next."""
        codes = self._codes[axis]
        code = codes.setdefault(key_of(value), len(codes))
        if code == len(self.values[axis]):
            self.values[axis].append(value)
        return code

    def holds(self, condition: Condition, codes: Mapping[int, int]) -> bool:
        """Whether a condition holds where the axes have these codes (absent ones may be left out)."""
        for axis, wanted in condition.wanted:
            i = self.index[axis]
            code = codes.get(i, ABSENT)
            if code == ABSENT:
                return False
            key = (id(condition), i, code)
            if key not in self._matching:
                self._matching[key] = any(matches(self.values[i][code], value) for value in wanted)
            if not self._matching[key]:
                return False
        return True

    def mask(self, condition: Condition, rows: Rows) -> NDArray[np.bool_]:
        """Where a condition holds, row by row."""
        found = np.ones(len(rows), dtype=np.bool_)
        for axis, wanted in condition.wanted:
            i = self.index[axis]
            good = [c for c, value in enumerate(self.values[i]) if any(matches(value, w) for w in wanted)]
            found &= np.isin(rows[:, i], good)
        return found

    def shown(self, axis: int, code: int) -> Any:
        """A value as people read it."""
        return shown(self.values[axis][code])

    @cached_property
    def ordered(self) -> list[int]:
        """The axes, each after those that decide where it exists.

        Raises:
            SpecError: conditions ask for each other in a circle.
        """
        done: list[int] = []
        waiting = list(range(len(self.names)))
        while waiting:
            free = [i for i in waiting if not self._deciders(i) - set(done)]
            if not free:
                names = ", ".join(self.names[i] for i in waiting)
                raise SpecError(
                    [
                        Problem(
                            f"axes.{self.names[waiting[0]]}.only",
                            f"the axes {names} decide each other in a circle",
                        )
                    ]
                )
            done += free
            waiting = [i for i in waiting if i not in free]
        return done

    def _deciders(self, axis: int) -> set[int]:
        only = self.only[axis]
        return {self.index[name] for name in only.axes} if only else set()

    def with_deciders(self, axes: Iterable[int]) -> set[int]:
        """The axes, with those that decide where they exist."""
        found = set(axes)
        while more := {d for axis in found for d in self._deciders(axis)} - found:
            found |= more
        return found

    def product(self, choices: Sequence[Sequence[int]], large: bool) -> Rows:
        """Every combination of the choices; an axis has no value where it does not exist.

        Raises:
            SpecError: there are more than a million and nobody said that this is meant.
        """
        rows = np.full((1, len(self.names)), ABSENT, dtype=np.int32)
        for axis in self.ordered:
            only, codes = self.only[axis], np.asarray(choices[axis], dtype=np.int32)
            exists = self.mask(only, rows) if only else np.ones(len(rows), dtype=np.bool_)
            counts = np.where(exists, len(codes), 1)
            if counts.sum() > MOST and not large:
                raise SpecError(
                    [
                        Problem(
                            "axes",
                            f"the product of the axes has more than {MOST:,} points; "
                            "say --yes if that is meant",
                        )
                    ]
                )
            source = np.repeat(np.arange(len(rows)), counts)
            offset = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
            rows = rows[source]
            rows[:, axis] = np.where(exists[source], codes[offset % len(codes)], ABSENT)
        return rows


def distinct(rows: Rows) -> Rows:
    """The different rows, each at its first place."""
    if not rows.shape[1]:
        return rows[:1]
    joint = np.zeros(len(rows), dtype=np.int64)
    for column in rows.T:
        # renumbered at each step, so that the joint code never outgrows 64 bits
        _, joint = np.unique(joint * (int(column.max()) + 2) + column + 1, return_inverse=True)
    _, first = np.unique(joint, return_index=True)
    return rows[np.sort(first)]


def points_of(sweep: Sweep, axes: Axes, problems: list[Problem]) -> Rows:
    """All points: the product, less what is excluded, plus what is included."""
    rows = axes.product(axes.listed, sweep.large)
    kept = np.ones(len(rows), dtype=np.bool_)
    for condition in sweep.exclude:
        out = axes.mask(condition, rows)
        if not out.any():
            problems.append(Problem(condition.where, f"excludes nothing: {never(condition, axes)}"))
        kept &= ~out
    rows = rows[kept]
    for i, given in enumerate(sweep.include):
        choices = [
            [axes.code(a, value) for value in given[name]] if name in given else axes.listed[a]
            for a, name in enumerate(axes.names)
        ]
        added = axes.product(choices, sweep.large)
        for name in given:
            if (added[:, axes.index[name]] == ABSENT).all():
                where = f"include[{i}].{name}"
                problems.append(Problem(where, f"the axis {name!r} does not exist there (see its `only`)"))
        rows = np.concatenate([rows, added])
    if not len(rows) and sweep.exclude and not problems:
        problems.append(Problem("exclude", "every trial is excluded"))
    return distinct(rows) if sweep.include and len(rows) else rows


def never(condition: Condition, axes: Axes) -> str:
    """Why a condition never holds: the first value that no point has, or that they never come together."""
    return strange(condition, axes) or "no planned point fits it"


def strange(condition: Condition, axes: Axes) -> str:
    """The sentence for the first value of a condition that no point has; nothing if there is none."""
    for axis, wanted in condition.wanted:
        values = axes.values[axes.index[axis]]
        for value in wanted:
            if not any(matches(known, value) for known in values):
                return unknown(f"value of {axis}", shown(value), [str(shown(known)) for known in values])
    return ""
