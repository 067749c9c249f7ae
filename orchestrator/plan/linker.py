"""From sites and points to unique stages: each node once per combination of the axes it depends on.

Iterative, with a stack of its own: a chain of a thousand rounds is as deep as it is long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator import build
from orchestrator.errors import Problem, SpecError, unknown
from orchestrator.identity import digest, to_json
from orchestrator.plan.dependencies import ALL, Site, Sites
from orchestrator.plan.fields import Codes, Element, Scope, choices, picker
from orchestrator.plan.moves import Gathered, Move, Spot
from orchestrator.plan.points import Axes, Rows
from orchestrator.spec.sweep import Alternative, Reference, Sweep
from orchestrator.spec.values import Condition, as_list, matches, mentioned, order_of, shown
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


@dataclass(frozen=True, eq=False, slots=True)
class Instance:
    """A node at a point: the ids of its stages, one per element; None for a stage that cannot be."""

    chosen: Chosen
    ids: tuple[int | None, ...]


#: How the flat inputs of a stage are grouped: role, whether it is a list, and the part of each input.
Layout = tuple[tuple[str, bool, tuple[str | None, ...]], ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a unique stage was met first."""

    element: Element
    codes: Codes


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a search tries: a stage that is no part of the plan, with its inputs."""

    origin: Origin
    inputs: tuple[int, ...]
    layout: Layout
    address: str


class Skipped(Exception):
    """Something an evaluate node reads does not exist here, so neither does the node."""


class Linker:
    """Resolves sites at points into stages; what is wrong is noted in ``problems``."""

    def __init__(self, sweep: Sweep, axes: Axes, sites: Sites, rows: Rows, problems: list[Problem]) -> None:
        self.sweep = sweep
        self.axes = axes
        self.sites = sites
        self.problems = problems
        self.gathered = Gathered(sites, rows)
        self.ids: dict[str, int] = {}
        self.addresses: list[str] = []
        self.origins: list[Origin] = []
        self.inputs: list[tuple[int, ...]] = []
        self.layouts: list[Layout] = []
        self.attempts: dict[int, tuple[Attempt, ...]] = {}
        self.held: set[int] = set()
        """The conditions that held somewhere, by identity."""
        self._refused: set[str] = set()
        self._layouts: dict[Layout, Layout] = {}
        self._scopes: dict[int, Scope] = {}
        self._chosen: dict[tuple[Any, ...], Chosen | None] = {}
        self._deciding: dict[int, Callable[[Codes], Codes]] = {}
        self._instances: dict[int, dict[Codes, Instance | None]] = {
            id(s): {} for s in sites.by_place.values()
        }
        self._picked: dict[tuple[int, ...], tuple[int, ...]] = {}

    def at(self, site: Site, codes: Codes) -> Instance | None:
        """The node at a point, with everything it needs; None where it does not exist."""
        memo = self._instances[id(site)]
        if codes not in memo:
            self._resolve(site, codes)
        return memo[codes]

    def reached(self, site: Site) -> bool:
        """Whether the node was asked for at some point."""
        return bool(self._instances[id(site)])

    def _resolve(self, site: Site, codes: Codes) -> None:
        stack: list[Spot] = [(site, codes)]
        waiting: dict[tuple[int, Codes], list[Spot]] = {}
        while stack:
            spot_site, spot_codes = spot = stack[-1]
            memo = self._instances[id(spot_site)]
            key = (id(spot_site), spot_codes)
            if spot_codes in memo:
                stack.pop()
            elif key in waiting:
                memo[spot_codes] = self._instance(spot)
                del waiting[key]
                stack.pop()
            else:
                needed = [s for s in self._needed(spot) if s[1] not in self._instances[id(s[0])]]
                waiting[key] = needed
                circle = [s for s in needed if (id(s[0]), s[1]) in waiting]
                if circle:
                    self._note_circle([s for s in stack if (id(s[0]), s[1]) in waiting], circle[0])
                    memo[spot_codes] = Instance(Chosen(spot_site.alternatives[0], (), ()), ())
                    del waiting[key]
                    stack.pop()
                else:
                    stack.extend(needed)

    def _note_circle(self, active: list[Spot], closing: Spot) -> None:
        """Name the nodes from ``closing`` to the last active one, from wherever the circle was entered."""
        circle = active[active.index(closing) :]
        first = min(range(len(circle)), key=lambda i: circle[i][0].name)
        circle = [*circle[first:], *circle[: first + 1]]
        names = [site.name for site, _ in circle]
        if len(set(names)) < len(circle) - 1:  # the same node at several points
            names = [f"{site.name}{self._at(site, codes)}" for site, codes in circle]
        site, codes = circle[0]
        chosen = self._choose(site, codes)
        where = chosen.alternative.where if chosen else site.alternatives[0].where
        said = self._at(site, codes) if names[0] == site.name else ""
        self._refuse([Problem(where, f"reads itself in a circle{said}: {' -> '.join(names)}")])

    def _at(self, site: Site, codes: Codes) -> str:
        said = self._scope(site).said(codes)
        return f" at {said}" if said else ""

    def _scope(self, site: Site) -> Scope:
        if id(site) not in self._scopes:
            self._scopes[id(site)] = Scope(self.sites, site)
        return self._scopes[id(site)]

    def _refuse(self, problems: Iterable[Problem]) -> None:
        """Note what is wrong with a reference, at the first point where it is."""
        for problem in problems:
            if problem.where not in self._refused:
                self._refused.add(problem.where)
                self.problems.append(problem)

    def _note(self, where: str, what: str) -> None:
        self.problems.append(Problem(where, what))

    # -- which alternative, which elements

    def _choose(self, site: Site, codes: Codes) -> Chosen | None:
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
        raw = self._scope(site).codes(codes)
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
        scope = self._scope(site)
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

    # -- what is read

    def _needed(self, spot: Spot) -> list[Spot]:
        """What must be resolved before a node can be."""
        site, codes = spot
        chosen = self._choose(site, codes)
        if chosen is None:
            return []
        try:
            if chosen.used:
                return chosen.used.spots(codes)
            needed = [s for moves in chosen.moves for _, _, move in moves for s in move.spots(codes)]
            if chosen.tried:
                needed += [s for tried in chosen.tried.spots(codes) for s in self._needed(tried)]
        except SpecError as error:
            self._refuse(error.problems)
            self._instances[id(site)][codes] = Instance(chosen, (None,) * len(chosen.elements))
            return []
        return needed

    def _instance(self, spot: Spot) -> Instance | None:
        """The node at a point, once everything it reads is resolved."""
        site, codes = spot
        memo = self._instances[id(site)]
        if codes in memo:
            return memo[codes]
        chosen = self._choose(site, codes)
        if chosen is None:
            return None
        if chosen.used:
            spots = chosen.used.spots(codes)  # none if there is no such node, which was said
            return self._instances[id(spots[0][0])][spots[0][1]] if spots else Instance(chosen, ())
        try:
            ids = [
                self._stage(site, chosen, element, moves, codes)
                for element, moves in zip(chosen.elements, chosen.moves, strict=True)
            ]
        except Skipped:
            return None
        except SpecError as error:
            self._refuse(error.problems)
            return Instance(chosen, (None,) * len(chosen.elements))
        return Instance(chosen, tuple(ids))

    def _stage(self, site: Site, chosen: Chosen, element: Element, moves: Any, codes: Codes) -> int | None:
        """The id of one stage, new or met before; None if it or something it reads is wrong."""
        read = self._read(site, moves, codes)
        attempts = self._attempts(chosen, codes) if chosen.tried else ()
        fields = element.text(codes)
        if read is None or fields is None or attempts is None:
            return None
        flat, layout = read
        text = self.text_of(fields, element, flat, layout, attempts)
        address = digest(text)
        known = self.ids.get(address)
        if known is not None:
            return known
        stage = self.ids[address] = len(self.addresses)
        self.addresses.append(address)
        self.origins.append(Origin(element, codes))
        if attempts:
            self.attempts[stage] = attempts
            flat = tuple(dict.fromkeys(parent for attempt in attempts for parent in attempt.inputs))
        self.inputs.append(flat)
        self.layouts.append(layout)
        return stage

    def text_of(
        self,
        fields: str,
        element: Element,
        flat: tuple[int, ...],
        layout: Layout,
        attempts: tuple[Attempt, ...],
    ) -> str:
        """The canonical text of a stage: fields, inputs, stage, version."""
        if attempts:
            inputs = to_json({"try": [attempt.address for attempt in attempts]})
            return f'{{"fields":{{{fields}}},"inputs":{inputs},{element.tail}'
        addresses = self.addresses
        if len(layout) == 1 and not layout[0][1] and layout[0][2] == (None,):
            inputs = f'"{layout[0][0]}":"{addresses[flat[0]]}"'
        else:
            given = iter(flat)
            inputs = to_json(
                {
                    role: named if many else named[0]
                    for role, many, parts in layout
                    for named in [[_input(addresses[next(given)], part) for part in parts]]
                }
            )[1:-1]
        return f'{{"fields":{{{fields}}},"inputs":{{{inputs}}},{element.tail}'

    def _read(self, site: Site, moves: Any, codes: Codes) -> tuple[tuple[int, ...], Layout] | None:
        """The ids a stage reads with their grouping; None if one of them is wrong."""
        flat: list[int] = []
        groups: list[tuple[str, bool, list[str | None]]] = []
        listed: set[tuple[int, str | None]] = set()
        wrong = False
        for role, many, move in moves:
            part = move.reference.part
            if not groups or groups[-1][0] != role:
                groups.append((role, many, []))
                listed.clear()
            spots = move.spots(codes)
            wrong |= not spots  # the reference means nothing, which was said
            for target, there in spots:
                instance = self._instances[id(target)][there]
                if instance is None:
                    if site.evaluated:
                        raise Skipped
                    what = f"{target.name} does not exist{self._at(target, there)}: no `when` holds"
                    raise SpecError([Problem(move.reference.where, what)])
                for stage in self._pick(instance, move, many, codes):
                    if stage is None:
                        wrong = True
                    elif (stage, part) not in listed:
                        listed.add((stage, part))
                        flat.append(stage)
                        groups[-1][2].append(part)
            if len(listed) > 1 and not many:
                what = f"the role {role!r} reads one output, and {move.reference} stands for {len(listed)}"
                raise SpecError([Problem(move.reference.where, what)])
        if wrong:
            return None
        layout: Layout = tuple((role, many, tuple(parts)) for role, many, parts in groups)
        return tuple(flat), self._layouts.setdefault(layout, layout)

    def _pick(self, instance: Instance, move: Move, many: bool, codes: Codes) -> Sequence[int | None]:
        """The stages of an instance that a reference picks."""
        if not instance.chosen.elements:  # its stage is unknown, which was said
            return (None,)
        key = (id(instance.chosen), id(move), *move.picking(codes))
        picked = self._picked.get(key)
        if picked is None:
            picked = self._picked[key] = self._picks(instance.chosen, move, many, codes)
        return [instance.ids[index] for index in picked]

    def _picks(self, chosen: Chosen, move: Move, many: bool, codes: Codes) -> tuple[int, ...]:
        """Which elements a reference means, checked: exactly one unless the role takes a list."""
        reference, elements = move.reference, chosen.elements
        here = move.scope.point(codes)
        point = {key: move.element.fill(value, here) for key, value in move.picks.items()}
        kind = elements[0].kind
        if reference.part is not None and reference.part not in kind.parts:
            where = reference.where
            raise SpecError(
                [Problem(where, unknown(f"part of {chosen.alternative.stage}", reference.part, kind.parts))]
            )
        found = [
            i for i, e in enumerate(elements) if all(_fits(e.choice.get(k), v) for k, v in point.items())
        ]
        found.sort(key=lambda i: [order_of(value) for _, value in sorted(elements[i].choice.items())])
        if not found:
            said = [_said(e.choice) for e in elements]
            raise SpecError(
                [Problem(reference.where, f"picks nothing: {_said(point)} is none of {'; '.join(said)}")]
            )
        if len(found) > 1 and not many:
            keys = ", ".join(sorted(chosen.alternative.each))
            raise SpecError(
                [
                    Problem(
                        reference.where,
                        f"{reference.node} has {len(found)} stages here; pick one: "
                        f"{reference.node}@{{{keys}: ...}}",
                    )
                ]
            )
        return tuple(found)

    # -- searches

    def _attempts(self, chosen: Chosen, codes: Codes) -> tuple[Attempt, ...] | None:
        """What a search tries: the stages that the tried node would be at each of the points."""
        assert chosen.tried
        found = []
        for site, there in chosen.tried.spots(codes):
            target = self._choose(site, there)
            where = chosen.tried.reference.where
            if target is None:
                what = f"{site.name} does not exist{self._at(site, there)}: no `when` holds"
                raise SpecError([Problem(where, what)])
            if target.used or len(target.elements) > 1:
                what = f"a search tries one stage, and {site.name} is another node's work or has `each`"
                raise SpecError([Problem(where, what)])
            if not target.elements:  # its stage is unknown, which was said
                return None
            element, moves = target.elements[0], target.moves[0]
            read, fields = self._read(site, moves, there), element.text(there)
            if read is None or fields is None:
                return None
            address = digest(self.text_of(fields, element, *read, ()))
            found.append(Attempt(Origin(element, there), *read, address))
        return tuple(found)


def _input(address: str, part: str | None) -> str:
    return f"{address}/{part}" if part else address


def _fits(value: Any, wanted: Any) -> bool:
    return wanted == ALL or any(matches(value, item) for item in as_list(wanted))


def _said(choice: Any) -> str:
    return ", ".join(f"{key}={shown(value)}" for key, value in choice.items())


__all__ = ["Attempt", "Instance", "Layout", "Linker", "Origin"]
