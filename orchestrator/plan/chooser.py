"""Which alternative a node is at a point, and which stages it consists of there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator import build
from orchestrator.errors import Problem, SpecError, unknown
from orchestrator.plan.dependencies import Site, Sites
from orchestrator.plan.fields import Codes, Element, Scope, choices, picker
from orchestrator.plan.moves import Gathered, Move
from orchestrator.spec.sweep import Alternative, Reference, Sweep
from orchestrator.spec.values import Condition, mentioned
from orchestrator.stage import Stage


@dataclass(frozen=True, eq=False)
class Chosen:
    """An alternative of a site with its elements, one per combination of its `each` values."""

    alternative: Alternative
    elements: tuple[Element, ...]
    moves: tuple[tuple[tuple[str, bool, Move], ...], ...]
    """Per element: role, whether it takes a list, and the move, in the order of the roles."""
    used: Move | None = None
    """For ``use``: the node whose work this is."""
    tried: Move | None = None


class Chooser:
    """Chooses alternatives, once per value of the axes that decide; what is wrong is noted."""

    def __init__(self, sweep: Sweep, sites: Sites, gathered: Gathered, problems: list[Problem]) -> None:
        self.sweep = sweep
        self.axes = sites.axes
        self.sites = sites
        self.gathered = gathered
        self.problems = problems
        self.held: set[int] = set()
        """The conditions that held somewhere, by identity."""
        self._scopes: dict[int, Scope] = {}
        self._chosen: dict[tuple[Any, ...], Chosen | None] = {}
        self._deciding: dict[int, Callable[[Codes], Codes]] = {}

    def scope(self, site: Site) -> Scope:
        """What a site's codes mean."""
        if id(site) not in self._scopes:
            self._scopes[id(site)] = Scope(self.sites, site)
        return self._scopes[id(site)]

    def _note(self, where: str, what: str) -> None:
        self.problems.append(Problem(where, what))

    def choose(self, site: Site, codes: Codes) -> Chosen | None:
        """The alternative at a point with its elements; remembered by the axes that decide it."""
        if id(site) not in self._deciding:
            self._deciding[id(site)] = picker(self._choosing(site))
        key = (id(site), *self._deciding[id(site)](codes))
        if key not in self._chosen:
            self._chosen[key] = self._make(site, codes)
        return self._chosen[key]

    def _choosing(self, site: Site) -> Codes:
        """The positions of the axes that decide alternatives, `each` values and overrides' conditions."""
        names = {axis for a in site.alternatives if a.when for axis in a.when.axes}
        names |= {axis for o in site.overrides if o.when for axis in o.when.axes}
        names |= {name for a in site.alternatives for values in a.each.values() for name in mentioned(values)}
        return tuple(i for i, axis in enumerate(site.axes) if self.axes.names[axis] in names)

    def _make(self, site: Site, codes: Codes) -> Chosen | None:
        raw = self.scope(site).codes(codes)
        for override in site.overrides:
            self._holds(override.when, raw)
        # every condition is asked, also behind the one that wins: a condition that can never hold is an error
        fitting = [alternative for alternative in site.alternatives if self._holds(alternative.when, raw)]
        return self._elements(site, fitting[0], codes) if fitting else None

    def _holds(self, condition: Condition | None, codes: dict[int, int]) -> bool:
        if condition is None:
            return True
        holds = self.axes.holds(condition, codes)
        if holds:
            self.held.add(id(condition))
        return holds

    def _elements(self, site: Site, alternative: Alternative, codes: Codes) -> Chosen:
        scope = self.scope(site)
        if alternative.use is not None:
            reference = Reference(alternative.use, where=f"{alternative.where}.use")
            nothing = Element(self.sites, scope, alternative, {}, Stage)
            return Chosen(
                alternative, (), (), used=Move(self.sites, scope, nothing, reference, self.gathered)
            )
        try:
            kind: type[Stage] = build.find(self.sweep.package, alternative.stage)
        except SpecError as error:
            self._note(f"{alternative.where}.stage", str(error))
            return Chosen(alternative, (), ())
        point = scope.point(codes)
        plain = Element(self.sites, scope, alternative, {}, kind)
        found = choices(alternative, lambda value: plain.fill(value, point))
        elements = tuple(Element(self.sites, scope, alternative, choice, kind) for choice in found)
        roles = self._roles(alternative, kind)
        moves = tuple(
            tuple(
                (role, many, Move(self.sites, scope, element, reference, self.gathered))
                for role, many, references in roles
                for reference in references
            )
            for element in elements
        )
        tries = alternative.tries
        tried = Move(self.sites, scope, plain, tries, self.gathered) if tries else None
        return Chosen(alternative, elements, moves, tried=tried)

    def _roles(
        self, alternative: Alternative, kind: type[Stage]
    ) -> list[tuple[str, bool, tuple[Reference, ...]]]:
        """The reads of an alternative by role, checked against what its stage declares."""
        found = []
        for role, references in sorted(alternative.reads.items()):
            declared = kind.roles.get(role)
            where = f"{alternative.where}.reads.{role}"
            if declared is None:
                self._note(where, unknown(f"role of {alternative.stage}", role, kind.roles))
            elif role in alternative.lists and not declared.many:
                self._note(where, f"the role {role!r} of {alternative.stage} reads one output, not a list")
            else:
                found.append((role, declared.many, references))
        for role, declared in kind.roles.items():
            if declared.required and role not in alternative.reads:
                self._note(
                    f"{alternative.where}.reads", f"{alternative.stage} needs something to read as {role!r}"
                )
        return found
