"""Which axes each node depends on.

A *site* is a node in the scope of one method: the method's own nodes, and a copy of each evaluate node. Its
axes are those in its fields, its stage's defaults, its `each` lists, the `when` of its alternatives and of
the overrides that set it, and those of what it reads, less what `@{}` pins, plus the axes used in the pins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import Problem, unknown
from orchestrator.plan.points import Axes
from orchestrator.spec.sweep import METHOD, Alternative, Override, Reference, Sweep
from orchestrator.spec.values import Condition, as_list, matches, mentioned

ALL = "all"
#: Method and node.
Place = tuple[str, str]


@dataclass(eq=False)
class Site:
    """A node in the scope of one method."""

    method: str
    node: str
    alternatives: tuple[Alternative, ...]
    overrides: tuple[Override, ...]
    evaluated: bool
    """Whether it is an evaluate node."""
    axes: tuple[int, ...] = ()
    """The axes it depends on, in file order; the method itself is fixed."""
    keys: frozenset[str] = field(default_factory=frozenset)
    """Every key of its `each`."""

    @property
    def name(self) -> str:
        """``method.node``."""
        return f"{self.method}.{self.node}"


class Sites:
    """All sites of a sweep, with the axes they depend on."""

    def __init__(self, sweep: Sweep, axes: Axes, problems: list[Problem]) -> None:
        self.sweep = sweep
        self.axes = axes
        self.problems = problems
        self.by_place: dict[Place, Site] = {}
        for method, nodes in sweep.methods.items():
            for scope, evaluated in ((nodes, False), (sweep.evaluate, True)):
                for node, alternatives in scope.items():
                    self.by_place[method, node] = self._site(method, node, alternatives, evaluated)
        self._spread_keys()
        self._settle()

    def _site(self, method: str, node: str, alternatives: tuple[Alternative, ...], evaluated: bool) -> Site:
        possible = tuple(a for a in alternatives if self.possible(a.when, method))
        overrides = tuple(
            override
            for override in self.sweep.overrides
            if (node in override.set or f"{method}.{node}" in override.set)
            and self.possible(override.when, method)
        )
        keys = frozenset(key for alternative in possible for key in alternative.each)
        return Site(method, node, possible, overrides, evaluated, keys=keys)

    def _spread_keys(self) -> None:
        """A node that may be another node's work may have its keys."""
        growing = True
        while growing:
            growing = False
            for site in self.by_place.values():
                for alternative in site.alternatives:
                    used = self.by_place.get((site.method, alternative.use or ""))
                    if used and not used.keys <= site.keys:
                        site.keys |= used.keys
                        growing = True

    @staticmethod
    def possible(when: Condition | None, method: str) -> bool:
        """Whether a condition can hold in the scope of ``method``."""
        wanted = dict(when.wanted).get(METHOD) if when else None
        return wanted is None or any(matches(method, value) for value in wanted)

    def _settle(self) -> None:
        """Grow the axes of every site until nothing changes."""
        method = self.axes.index[METHOD]
        own = {place: self._own(site) for place, site in self.by_place.items()}
        found = {place: set(axes) for place, axes in own.items()}
        links = {place: list(self.links(site)) for place, site in self.by_place.items()}
        growing = True
        while growing:
            growing = False
            for place, reads in links.items():
                more = set(found[place])
                for target, pinned in reads:
                    more |= found[target] - pinned
                more = self.axes.with_deciders(more) - {method}
                growing |= more != found[place]
                found[place] = more
        for place, site in self.by_place.items():
            site.axes = tuple(sorted(found[place]))

    def _own(self, site: Site) -> set[int]:
        """The axes a site names itself."""
        names: set[str] = set()
        for alternative in site.alternatives:
            names |= set(alternative.when.axes if alternative.when else ())
            names |= self._used_in(alternative.fields, alternative.each, alternative.where)
            names |= self._used_in(alternative.each, (), f"{alternative.where}.each")
            if alternative.stage:
                defaults = self.sweep.defaults.get(alternative.stage, {})
                names |= self._used_in(defaults, alternative.each, f"defaults.{alternative.stage}")
            for reference in self._references(alternative):
                names |= self._used(dict(reference.pins), alternative.each, reference.where)
                names |= {
                    axis
                    for axis, value in reference.pins
                    if is_relative(value) and any(axis not in t.keys for t in self.targets(site, reference))
                }
        for override in site.overrides:
            names |= set(override.when.axes if override.when else ())
            for key in (site.node, site.name):
                names |= self._used_in(override.set.get(key, {}), site.keys, f"{override.where}.set.{key}")
        return {self.axes.index[name] for name in names if name in self.axes.index}

    def _used_in(self, fields: Mapping[str, Any], local: Iterable[str], where: str) -> set[str]:
        """As `_used`, field by field."""
        return {
            axis for name, value in fields.items() for axis in self._used(value, local, f"{where}.{name}")
        }

    def _used(self, value: Any, local: Iterable[str], where: str) -> set[str]:
        """The axes behind the ``$name`` in ``value``, less the node's own; an unknown one is a problem."""
        used = set(mentioned(value)) - set(local)
        for name in sorted(used - self.axes.index.keys()):
            known = [f"${axis}" for axis in self.axes.names]
            self.note(where, unknown("axis", f"${name}", known))
        return used

    def _references(self, alternative: Alternative) -> Iterator[Reference]:
        for references in alternative.reads.values():
            yield from references
        if alternative.tries:
            yield alternative.tries

    def links(self, site: Site) -> Iterator[tuple[Place, set[int]]]:
        """What a site reads, with the axes that are pinned on the way."""
        for alternative in site.alternatives:
            if alternative.use is not None:
                for target in self.targets(
                    site, Reference(alternative.use, where=f"{alternative.where}.use")
                ):
                    yield (target.method, target.node), set()
            for reference in self._references(alternative):
                for target in self.targets(site, reference):
                    pins = {
                        axis
                        for axis, _ in reference.pins
                        if axis in self.axes.index and axis not in target.keys
                    }
                    yield (target.method, target.node), {self.axes.index[axis] for axis in pins}

    def targets(self, site: Site, reference: Reference) -> list[Site]:
        """The sites a reference may mean, by the methods it may mean; problems are noted once."""
        pinned = dict(reference.pins).get(METHOD, reference.method or site.method)
        if pinned == ALL or (isinstance(pinned, str) and pinned.startswith("$")):
            values = self.axes.values[self.axes.index[METHOD]]
            if pinned not in (ALL, f"${METHOD}"):
                values = self.axes.values[self.axes.index.get(pinned[1:], self.axes.index[METHOD])]
        else:
            values = list(as_list(pinned))
        found = [self._target(site, reference, str(method)) for method in values]
        return [target for target in found if target]

    def _target(self, site: Site, reference: Reference, method: str) -> Site | None:
        if method not in self.sweep.methods:
            self.note(reference.where, unknown(METHOD, method, self.sweep.methods))
            return None
        target = self.by_place.get((method, reference.node))
        readable = [
            n for (m, n), s in self.by_place.items() if m == method and (site.evaluated or not s.evaluated)
        ]
        if target is None or reference.node not in readable:
            if reference.node in self.sweep.broken:
                return None
            if target is not None:
                self.note(
                    reference.where, f"a method's node cannot read the evaluate node {reference.node!r}"
                )
            else:
                self.note(reference.where, unknown(f"node of {method}", reference.node, readable))
            return None
        for axis, _ in reference.pins:
            if axis not in self.axes.index and axis not in target.keys:
                self.note(reference.where, unknown("axis", axis, [*self.axes.names, *target.keys]))
                return None
        return target

    def note(self, where: str, what: str) -> None:
        """Remember a problem, once."""
        problem = Problem(where, what)
        if problem not in self.problems:
            self.problems.append(problem)


def is_relative(value: Any) -> bool:
    """Whether a pin counts back from the current value."""
    return isinstance(value, int) and not isinstance(value, bool) and value < 0
