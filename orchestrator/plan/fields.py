"""The fields of a node at a point: layers merged, `$axis` filled in, cast, and as canonical JSON.

A field is resolved once per value of the axes that decide it, not once per stage; the JSON of a stage is its
fields' texts in a row. Each new text is checked by building the whole stage once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

from orchestrator import build
from orchestrator.errors import Problem, SpecError
from orchestrator.identity import fields_of, name_of, to_json, version_of
from orchestrator.plan.dependencies import Site, Sites
from orchestrator.plan.points import ABSENT
from orchestrator.spec.sweep import METHOD, Alternative, Override
from orchestrator.spec.values import key_of, mentioned
from orchestrator.stage import Stage

#: The text of a field whose value is wrong; no JSON looks like it.
WRONG = "!"
#: The codes of a site's axes, in the order of ``site.axes``.
Codes = tuple[int, ...]


@dataclass(frozen=True)
class Absent:
    """Stands where a ``$axis`` named an axis that does not exist at the point."""

    axis: str


@dataclass(frozen=True)
class Layer:
    """One layer of fields: where it stands in the file, and the override's condition if it is one."""

    fields: Mapping[str, Any]
    where: str
    override: Override | None = None


class Scope:
    """What a site's codes mean: the point as a mapping."""

    def __init__(self, sites: Sites, site: Site) -> None:
        self.axes = sites.axes
        self.site = site
        self.method_axis = self.axes.index[METHOD]
        self.method_code = self.axes.code(self.method_axis, site.method)

    def codes(self, codes: Codes) -> dict[int, int]:
        """Axis -> code, with the method's."""
        return {self.method_axis: self.method_code, **dict(zip(self.site.axes, codes, strict=True))}

    def point(self, codes: Codes) -> dict[str, Any]:
        """Axis -> value of the axes that exist, with the method."""
        return {
            self.axes.names[axis]: self.axes.values[axis][code]
            for axis, code in self.codes(codes).items()
            if code != ABSENT
        }

    def said(self, codes: Codes) -> str:
        """The point in words; nothing where it depends on no axis."""
        pairs = [(a, c) for a, c in zip(self.site.axes, codes, strict=True) if c != ABSENT]
        return ", ".join(f"{self.axes.names[a]}={self.axes.shown(a, c)}" for a, c in pairs)


class Element:
    """One stage of a node: an alternative with one choice of its `each` values."""

    def __init__(
        self,
        sites: Sites,
        scope: Scope,
        alternative: Alternative,
        choice: Mapping[str, Any],
        kind: type[Stage],
    ) -> None:
        self.sites = sites
        self.scope = scope
        self.site = scope.site
        self.alternative = alternative
        self.choice = choice
        self.kind = kind
        self.known = build.field_types(kind)
        self.layers = tuple(self._layers())
        names = {name for layer in self.layers for name in layer.fields}
        self._deciders = {name: self._deciding(name) for name in names}
        self._texts: dict[tuple[Any, ...], str] = {}

    def _layers(self) -> Iterator[Layer]:
        """Class default < defaults < node < each < overrides; the class default is merged when built."""
        stage = self.alternative.stage
        yield Layer(self.sites.sweep.defaults.get(stage, {}), f"defaults.{stage}")
        yield Layer(self.alternative.fields, self.alternative.where)
        own = {key: value for key, value in self.choice.items() if key in self.known}
        yield Layer(own, f"{self.alternative.where}.each")
        for override in self.site.overrides:
            for key in (self.site.node, self.site.name):
                if key in override.set:
                    yield Layer(override.set[key], f"{override.where}.set.{key}", override)

    def _deciding(self, name: str) -> tuple[int, ...]:
        """The positions in the site's axes that decide a field."""
        layers = [layer for layer in self.layers if name in layer.fields]
        axes = {a for layer in layers for a in mentioned(layer.fields[name]) if a not in self.choice}
        axes |= {
            a for layer in layers if layer.override and layer.override.when for a in layer.override.when.axes
        }
        return tuple(i for i, axis in enumerate(self.site.axes) if self.sites.axes.names[axis] in axes)

    def data(self, codes: Codes) -> dict[str, Any]:
        """The merged fields at a point, as data that builds the stage."""
        point, raw = self.scope.point(codes), self.scope.codes(codes)
        found: dict[str, Any] = {}
        for layer in self.layers:
            when = layer.override.when if layer.override else None
            if when is None or self.sites.axes.holds(when, raw):
                for name, value in layer.fields.items():
                    filled = self.fill(value, point)
                    found[name] = build.merge(found[name], filled) if name in found else filled
        return found

    def fill(self, value: Any, point: Mapping[str, Any]) -> Any:
        """``value`` with every ``$name`` replaced: the node's own keys first, then the point's axes."""
        if isinstance(value, str):
            if value.startswith("$$"):
                return value[1:]
            if value.startswith("$"):
                name = value[1:]
                return self.choice[name] if name in self.choice else point.get(name, Absent(name))
            return value
        if isinstance(value, Mapping):
            return {key: self.fill(item, point) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.fill(item, point) for item in value]
        return value

    def stage(self, codes: Codes) -> Stage:
        """The stage itself at a point.

        Raises:
            SpecError: its fields are wrong, or do not go with what it reads.
        """
        data = self.data(codes)
        if absent := {name: list(_absent(value)) for name, value in data.items() if any(_absent(value))}:
            raise SpecError(self._without(data, absent, codes))
        stage = build.build_class(self.kind, data)
        try:
            stage.check(tuple(self.alternative.reads))
        except ValueError as error:
            raise SpecError([Problem("", str(error))]) from None
        return stage

    def _without(
        self, data: Mapping[str, Any], absent: Mapping[str, list[Absent]], codes: Codes
    ) -> Iterator[Problem]:
        """What is wrong where axes do not exist that fields ask for, and with the other fields."""
        said = self.scope.said(codes)
        there = f" where {said} (see its `only`)" if said else ""
        for name, missing in absent.items():
            for axis in {
                each.axis for each in missing
            } & self.sites.axes.index.keys():  # an unknown one was said
                yield Problem(name, f"the axis {axis!r} does not exist{there}")
        try:
            build.build_class(self.kind, {name: value for name, value in data.items() if name not in absent})
        except SpecError as error:
            yield from (
                problem for problem in error.problems if problem.where and problem.where not in absent
            )

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The names of all fields, as they stand in canonical JSON."""
        return tuple(sorted(self.known))

    @cached_property
    def tail(self) -> str:
        """The canonical text behind the inputs."""
        return to_json({"stage": name_of(self.kind), **version_of(self.kind)})[1:]

    def text(self, codes: Codes) -> str | None:
        """The fields as canonical JSON, put together from texts made once each; None if they are wrong."""
        parts = []
        for name, get in self._getters:
            key = (name, *get(codes))
            text = self._texts.get(key)
            if text is None:
                text = self._first(codes, key)
            parts.append(text)
        if WRONG in parts:
            return None
        return "".join(parts)[:-1]

    @cached_property
    def _getters(self) -> tuple[tuple[str, Callable[[Codes], Codes]], ...]:
        """Runs of fields with the same deciding axes, in canonical order: one look-up each."""
        return tuple(("+".join(names), picker(positions)) for names, positions in self._runs)

    @cached_property
    def _runs(self) -> tuple[tuple[tuple[str, ...], Codes], ...]:
        runs: list[tuple[list[str], Codes]] = []
        for name in self.order:
            positions = self._deciders.get(name, ())
            if runs and runs[-1][1] == positions:
                runs[-1][0].append(name)
            else:
                runs.append(([name], positions))
        return tuple((tuple(names), positions) for names, positions in runs)

    def _first(self, codes: Codes, key: tuple[Any, ...]) -> str:
        """Build the stage once for a new value of some field, and keep that field's text."""
        try:
            fields = fields_of(self.stage(codes))
        except SpecError as error:
            self.sites.problems += [self._placed(problem, codes) for problem in error.problems]
            return self._texts.setdefault(key, WRONG)
        text = "".join(f'"{name}":{to_json(fields[name])},' for name in key[0].split("+") if name in fields)
        return self._texts.setdefault(key, text)

    def _placed(self, problem: Problem, codes: Codes) -> Problem:
        """A problem of a field, at the place in the file that gave the field its value."""
        steps = re.findall(r"[^.\[\]]+", problem.where)
        raw = self.scope.codes(codes)
        where, rest, depth = self.alternative.where, steps, 0
        for layer in self.layers:
            when = layer.override.when if layer.override else None
            if when is None or self.sites.axes.holds(when, raw):
                met, inside = self._follow(layer.fields, steps, codes)
                if met == len(steps) and problem.what.startswith("unknown field"):
                    inside = ""  # the key is wrong, not the value behind it
                if met and met >= depth:  # the last layer that goes as deep
                    where, rest, depth = inside or layer.where, steps[met:] if inside else steps, met
        said = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in rest)
        return Problem(f"{where}{said}", problem.what)

    def _follow(self, value: Any, steps: Sequence[str], codes: Codes) -> tuple[int, str]:
        """How many ``steps`` lead into ``value``, and the place of the axis they end in, if they do."""
        axes = self.scope.point(codes).keys() - self.choice.keys()
        for met, step in enumerate(steps):
            if isinstance(value, Mapping) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.isdigit():
                value = value[int(step)]
            else:
                return met, ""
            axis = value[1:] if isinstance(value, str) and value.startswith("$") else None
            if axis in axes:
                return met + 1, f"axes.{axis}"
        return len(steps), ""


def picker(positions: Codes) -> Callable[[Codes], Codes]:
    """A function that takes the codes at ``positions``; as fast as Python can."""
    if not positions:
        return lambda _: ()
    if len(positions) == 1:
        (only,) = positions
        return lambda codes: (codes[only],)
    return itemgetter(*positions)


def _absent(value: Any) -> Iterator[Absent]:
    if isinstance(value, Absent):
        yield value
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _absent(item)


def choices(alternative: Alternative, element_of: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """Every combination of an alternative's `each` values, filled in; equal ones once."""
    found: list[dict[str, Any]] = [{}]
    for key, values in alternative.each.items():
        filled = {key_of(value): value for value in map(element_of, values)}
        found = [{**choice, key: value} for choice in found for value in filled.values()]
    return found
