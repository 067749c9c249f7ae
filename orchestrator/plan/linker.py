"""From sites and points to unique stages: each node once per combination of the axes it depends on.

Iterative, with a stack of its own: a chain of a thousand rounds is as deep as it is long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import Problem, SpecError
from orchestrator.identity import digest
from orchestrator.plan.chooser import Chooser, Chosen
from orchestrator.plan.dependencies import Site, Sites
from orchestrator.plan.fields import Codes, Element
from orchestrator.plan.graph import Attempt, Graph, Layout, Origin
from orchestrator.plan.moves import Gathered, Move, Spot
from orchestrator.plan.picks import picks
from orchestrator.plan.points import Rows
from orchestrator.spec.sweep import Sweep


@dataclass(frozen=True, eq=False, slots=True)
class Instance:
    """A node at a point: the ids of its stages, one per element; None for a stage that cannot be."""

    chosen: Chosen
    ids: tuple[int | None, ...]


class Skipped(Exception):
    """Something an evaluate node reads does not exist here, so neither does the node."""


class Linker:
    """Resolves sites at points into stages; what is wrong is noted in ``problems``."""

    def __init__(self, sweep: Sweep, sites: Sites, rows: Rows, problems: list[Problem]) -> None:
        self.axes = sites.axes
        self.sites = sites
        self.problems = problems
        self.gathered = Gathered(sites, rows)
        self.chooser = Chooser(sweep, sites, self.gathered, problems)
        self.graph = Graph()
        self._refused: set[str] = set()
        self._layouts: dict[Layout, Layout] = {}
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

    def codes(self, site: Site) -> Iterable[Codes]:
        """The points at which the node was asked for."""
        return self._instances[id(site)]

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
        chosen = self.chooser.choose(site, codes)
        where = chosen.alternative.where if chosen else site.alternatives[0].where
        said = self._at(site, codes) if names[0] == site.name else ""
        self._refuse([Problem(where, f"reads itself in a circle{said}: {' -> '.join(names)}")])

    def _at(self, site: Site, codes: Codes) -> str:
        said = self.chooser.scope(site).said(codes)
        return f" at {said}" if said else ""

    def _refuse(self, problems: Iterable[Problem]) -> None:
        """Note what is wrong with a reference, at the first point where it is."""
        for problem in problems:
            if problem.where not in self._refused:
                self._refused.add(problem.where)
                self.problems.append(problem)

    def _needed(self, spot: Spot) -> list[Spot]:
        """What must be resolved before a node can be."""
        site, codes = spot
        chosen = self.chooser.choose(site, codes)
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
        chosen = self.chooser.choose(site, codes)
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
        return self.graph.add(Origin(element, codes), fields, *read, attempts)

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
            picked = self._picked[key] = picks(instance.chosen, move, many, codes)
        return [instance.ids[index] for index in picked]

    def _attempts(self, chosen: Chosen, codes: Codes) -> tuple[Attempt, ...] | None:
        """What a search tries: the stages that the tried node would be at each of the points."""
        assert chosen.tried
        found = []
        for site, there in chosen.tried.spots(codes):
            target = self.chooser.choose(site, there)
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
            address = digest(self.graph.text_of(fields, element, *read, ()))
            found.append(Attempt(Origin(element, there), *read, address))
        return tuple(found)
