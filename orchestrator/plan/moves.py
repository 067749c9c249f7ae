"""How a point moves when a node reads another: axes kept, pinned, counted back, or gathered with `all`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from orchestrator.errors import Problem, SpecError
from orchestrator.plan.dependencies import ALL, Site, Sites, is_relative
from orchestrator.plan.fields import Codes, Element, Scope, picker
from orchestrator.plan.points import ABSENT, Rows
from orchestrator.spec.sweep import METHOD, Reference
from orchestrator.spec.values import as_list, mentioned, order_of, shown

#: A site and the codes of its axes: one node at one point.
Spot = tuple[Site, Codes]


class Gathered:
    """For ``all``: the values an axis takes among the points of the sweep, before `--where`."""

    def __init__(self, sites: Sites, rows: Rows) -> None:
        self.sites = sites
        self.rows = rows
        self._tables: dict[tuple[str, str, Codes], dict[Codes, list[Codes]]] = {}

    def values(self, site: Site, gathered: Codes, rest: Codes) -> list[Codes]:
        """The combinations that the ``gathered`` axes take where the other axes have the codes ``rest``."""
        key = (site.method, site.node, gathered)
        if key not in self._tables:
            self._tables[key] = self._table(site, gathered)
        return self._tables[key].get(rest, [])

    def _table(self, site: Site, gathered: Codes) -> dict[Codes, list[Codes]]:
        axes = self.sites.axes
        method = axes.index[METHOD]
        rows = self.rows[self.rows[:, method] == axes.code(method, site.method)]
        others = [axis for axis in site.axes if axis not in gathered]
        columns = np.unique(rows[:, [*others, *gathered]], axis=0)
        found: dict[Codes, list[Codes]] = {}
        for row in columns.tolist():
            found.setdefault(tuple(row[: len(others)]), []).append(tuple(row[len(others) :]))
        return found


class Move:
    """One reference as seen from one stage of a node: from the reader's codes to the spots it reads."""

    def __init__(
        self, sites: Sites, scope: Scope, element: Element, reference: Reference, gathered: Gathered
    ) -> None:
        self.sites = sites
        self.axes = sites.axes
        self.reader = scope.site
        self.scope = scope
        self.element = element
        self.reference = reference
        self.gathered = gathered
        self.targets = {target.method: target for target in sites.targets(scope.site, reference)}
        self.keys = frozenset(key for target in self.targets.values() for key in target.keys)
        self.pins = {
            axis: value for axis, value in reference.pins if axis not in self.keys and axis != METHOD
        }
        self.picks = {key: value for key, value in reference.pins if key in self.keys}
        self.position = {axis: i for i, axis in enumerate(scope.site.axes)}
        picking = set(mentioned(self.picks)) - set(element.choice)
        self.picking = picker(
            tuple(i for i, a in enumerate(scope.site.axes) if self.axes.names[a] in picking)
        )
        """Takes the reader's codes that decide what is picked."""
        known = self.axes.index
        self._uncertain = sorted(
            name
            for name in set(mentioned(dict(reference.pins))) - set(element.choice)
            if name not in known or self.axes.only[known[name]]
        )
        """The axes behind ``$`` that may not exist where this reads, or not at all."""
        self._direct = self._compile()

    def _compile(self) -> tuple[Site, Callable[[Codes], Codes], Codes] | None:
        """The common case, one target at kept or constant codes.

        The target, what takes its codes from the reader's codes and the constants, and the constants.
        """
        pinned = dict(self.reference.pins).get(METHOD)
        plain = not any(self._moving(value) for value in self.pins.values()) and len(self.targets) == 1
        if pinned is not None or not plain or self._uncertain:
            return None
        (target,) = self.targets.values()
        if any(self.axes.only[axis] for axis in target.axes) and (
            self.pins or target.method != self.reader.method
        ):
            return None  # an axis may come into being or vanish on the way
        constants: list[int] = []
        positions = []
        for axis in target.axes:
            name = self.axes.names[axis]
            if name in self.pins:
                positions.append(len(self.reader.axes) + len(constants))
                constants.append(self.axes.code(axis, self.element.fill(self.pins[name], {})))
            else:
                positions.append(self.position[axis])
        return target, picker(tuple(positions)), tuple(constants)

    def _moving(self, value: Any) -> bool:
        """Whether a pin depends on the point or stands for several values."""
        from_axis = isinstance(value, str) and value.startswith("$") and value[1:] not in self.element.choice
        return value == ALL or isinstance(value, list) or is_relative(value) or from_axis

    def spots(self, codes: Codes) -> list[Spot]:
        """What is read from the point ``codes``, in the order of the values.

        Raises:
            SpecError: the point cannot move that way; says which axis.
        """
        if self._direct:
            target, take, constants = self._direct
            return [(target, take(codes + constants))]
        point = self.scope.point(codes)
        for name in self._uncertain:
            if name not in self.axes.index:
                return []  # which was said
            if name not in point:
                raise self._problem(f"the axis {name!r} does not exist there", codes)
        found = list(
            dict.fromkeys(spot for target in self._methods(point) for spot in self._at(target, codes, point))
        )
        return found if len(found) == 1 else sorted(found, key=self._order)

    def _order(self, spot: Spot) -> tuple[str, Any]:
        """What several spots are sorted by: method, then the values by the names of their axes."""
        target, codes = spot
        named = sorted(
            (self.axes.names[axis], axis, code) for axis, code in zip(target.axes, codes, strict=True)
        )
        return target.method, [
            ("", "") if code == ABSENT else order_of(self.axes.values[axis][code]) for _, axis, code in named
        ]

    def _methods(self, point: Mapping[str, Any]) -> list[Site]:
        """The sites at the pinned method, or at each of them."""
        pinned = self.element.fill(dict(self.reference.pins).get(METHOD), point)
        if pinned is None or pinned == ALL:
            return list(self.targets.values())
        return [self.targets[method] for method in as_list(pinned) if method in self.targets]

    def _at(self, target: Site, codes: Codes, point: Mapping[str, Any]) -> Iterator[Spot]:
        """The spots of one target."""
        fixed: dict[int, list[int]] = {}
        gathered: list[int] = []
        for axis in target.axes:
            name = self.axes.names[axis]
            if name not in self.pins:
                fixed[axis] = [codes[self.position[axis]]]
            elif self.pins[name] == ALL:
                gathered.append(axis)
            else:
                fixed[axis] = self._pinned(axis, self.pins[name], point, codes)
        for combination in product(*fixed.values()):
            moved = dict(zip(fixed, combination, strict=True))
            yield from self._gather(target, moved, tuple(gathered), codes)

    def _gather(self, target: Site, moved: dict[int, int], gathered: Codes, codes: Codes) -> Iterator[Spot]:
        moved = self._existing(target, moved, codes, skip=gathered)
        every_method = dict(self.reference.pins).get(METHOD) == ALL
        if not gathered and not every_method:
            yield target, tuple(moved[axis] for axis in target.axes)
            return
        rest = tuple(moved[axis] for axis in target.axes if axis not in gathered)
        found = self.gathered.values(target, gathered, rest)
        if not found and not every_method:
            names = ", ".join(self.axes.names[axis] for axis in gathered)
            raise self._problem(
                f"no trial of the sweep has {target.name} there, so there is no `{names}: all` to gather",
                codes,
            )
        for values in found:
            everything = {**moved, **dict(zip(gathered, values, strict=True))}
            yield target, tuple(everything[axis] for axis in target.axes)

    def _existing(self, target: Site, moved: dict[int, int], codes: Codes, skip: Codes) -> dict[int, int]:
        """Drop the axes that do not exist at the target; one that does and has no value is a problem."""
        method = self.axes.index[METHOD]
        there = {**moved, method: self.axes.code(method, target.method)}
        for axis in self.axes.ordered:
            if axis not in moved or axis in skip:
                continue
            only = self.axes.only[axis]
            if only and not self.axes.holds(only, there):
                moved[axis] = there[axis] = ABSENT
            elif moved[axis] == ABSENT:
                name = self.axes.names[axis]
                raise self._problem(
                    f"{target.name} depends on the axis {name!r}, which does not exist where this reads it; "
                    f"pin it, as in @{{{name}: ...}}",
                    codes,
                )
        return moved

    def _pinned(self, axis: int, pin: Any, point: Mapping[str, Any], codes: Codes) -> list[int]:
        """The codes a pin stands for."""
        name = self.axes.names[axis]
        values = []
        for item in as_list(pin):
            value = self.element.fill(item, point)
            if is_relative(value):
                if name not in point:
                    raise self._problem(f"counts the axis {name!r} back where it does not exist", codes)
                value = self._counted(name, value, point)
            values.append(value)
        return [self.axes.code(axis, value) for value in values]

    def _counted(self, name: str, back: int, point: Mapping[str, Any]) -> int:
        """The current value less the pin."""
        now = point.get(name)
        if not isinstance(now, int) or isinstance(now, bool):
            raise SpecError(
                [
                    Problem(
                        self.reference.where,
                        f"counts the axis {name!r} back from {shown(now)!r}, which is no whole number",
                    )
                ]
            )
        if now + back < 0:
            raise SpecError(
                [
                    Problem(
                        self.reference.where,
                        f"counts the axis {name!r} back from {now} to below 0; "
                        f"an alternative with `when: {{{name}: {now}}}` is missing",
                    )
                ]
            )
        return now + back

    def _problem(self, what: str, codes: Codes) -> SpecError:
        said = self.scope.said(codes)
        there = f" where {said}" if said else ""
        return SpecError([Problem(self.reference.where, f"{what} (reading {self.reference}{there})")])
