"""From a `Sweep` to a `Plan`: expand, link, de-duplicate by address."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.errors import Problem, SpecError, unknown
from orchestrator.plan.dependencies import Sites
from orchestrator.plan.job import Job, Output, Trial
from orchestrator.plan.linker import Linker
from orchestrator.plan.plan import Plan, Trials
from orchestrator.plan.points import ABSENT, Axes, Rows, distinct, never, points_of
from orchestrator.spec.source import read_value
from orchestrator.spec.sweep import METHOD, MODEL, Sweep
from orchestrator.spec.values import Condition, as_list, shown

Where = Sequence[str] | Mapping[str, Any]


def make_plan(sweep: Sweep, where: Where = ()) -> Plan:
    """The plan of a sweep, or of the trials that ``where`` selects.

    Raises:
        SpecError: every problem of the file at once.
    """
    # a plan is a million small objects and no garbage: the cycle collector would walk them again and again
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _make(sweep, where)
    finally:
        if collecting:
            gc.enable()


def _make(sweep: Sweep, where: Where) -> Plan:
    problems: list[Problem] = []
    axes = Axes(sweep)
    try:
        rows = points_of(sweep, axes, problems)
        selected = _selected(rows, axes, where)
    except SpecError as error:
        raise _failed(sweep, [*problems, *error.problems]) from None
    sites = Sites(sweep, axes, problems)
    linker = Linker(sweep, axes, sites, rows, problems)
    if problems:
        _check_axes(sweep, sites, axes, problems)
        raise _failed(sweep, problems)
    trials, targets = _link(sweep, axes, sites, linker, selected)
    _check_axes(sweep, sites, axes, problems)
    if not where and not problems:
        _check_conditions(sweep, axes, linker, problems)
    if problems:
        raise _failed(sweep, problems)
    return Plan(sweep, linker, trials, targets, _warnings(sweep, sites))


def _failed(sweep: Sweep, problems: Sequence[Problem]) -> SpecError:
    return SpecError(
        Problem(f"{sweep.path}: {p.where}" if p.where else str(sweep.path), p.what) for p in problems
    )


def _selected(rows: Rows, axes: Axes, where: Where) -> Rows:
    """The points that all of ``where`` selects."""
    wanted: dict[str, tuple[Any, ...]] = {}
    if not isinstance(where, Mapping):
        for text in where:
            axis, equals, value = text.partition("=")
            if not equals:
                raise SpecError([Problem(f"--where {text}", "must be axis=value, such as method=rigl")])
            wanted[axis.strip()] = as_list(read_value(value, f"--where {axis}"))
    else:
        wanted = {axis: as_list(value) for axis, value in where.items()}
    for axis in wanted:
        if axis not in axes.index:
            raise SpecError([Problem(f"--where {axis}", unknown("axis", axis, axes.names))])
    condition = Condition(tuple(wanted.items()), "--where")
    found = rows[axes.mask(condition, rows)]
    if len(rows) and not len(found):
        said = " ".join(
            f"{axis}={'|'.join(str(shown(v)) for v in values)}" for axis, values in wanted.items()
        )
        raise SpecError([Problem(f"--where {said}", f"selects no trial: {never(condition, axes)}")])
    return found


def _link(sweep: Sweep, axes: Axes, sites: Sites, linker: Linker, rows: Rows) -> tuple[Trials, list[int]]:
    """Resolve every node of every trial, per node over the axes it depends on."""
    method_axis = axes.index[METHOD]
    scopes = []
    targets: dict[int, None] = {}
    for method in sweep.methods:
        of_method = rows[rows[:, method_axis] == axes.code(method_axis, method)]
        if not len(of_method) or (method, MODEL) not in sites.by_place:
            continue
        shown_sites = [
            sites.by_place[method, MODEL],
            *(sites.by_place[method, node] for node in sweep.evaluate),
        ]
        for site in shown_sites:
            for codes in map(tuple, distinct(of_method[:, site.axes]).tolist()):
                instance = linker.at(site, codes)
                if instance:
                    targets.update((stage, None) for stage in instance.ids if stage is not None)
        depends = sorted({axis for site in shown_sites for axis in site.axes})
        others = [axis for axis in range(len(axes.names)) if axis not in depends]
        reduced = of_method.copy()
        reduced[:, others] = ABSENT
        scopes.append((method, shown_sites, distinct(reduced)))
    return Trials(linker, scopes), sorted(targets)


def _check_axes(sweep: Sweep, sites: Sites, axes: Axes, problems: list[Problem]) -> None:
    """An axis that nothing mentions is a mistake."""
    used = {axis for site in sites.by_place.values() for axis in site.axes}
    for i, name in enumerate(axes.names):
        if i not in used and name != METHOD and not sweep.broken:
            problems.append(
                Problem(axes.places[i], f"nothing mentions this axis; write ${name} where it belongs")
            )


def _check_conditions(sweep: Sweep, axes: Axes, linker: Linker, problems: list[Problem]) -> None:
    """A condition that holds at no planned point is a mistake."""
    nodes = [node for scope in (*sweep.methods.values(), sweep.evaluate) for node in scope.values()]
    planned = {id(origin.element.alternative) for origin in linker.origins}
    for alternatives in nodes:
        reached = any(id(alternative) in planned or alternative.use for alternative in alternatives)
        for alternative in alternatives:
            when = alternative.when
            if when and id(when) not in linker.held and reached:
                problems.append(Problem(when.where, f"never holds: {never(when, axes)}"))
    for override in sweep.overrides:
        when = override.when
        if when and id(when) not in linker.held and not _resources_only(override.set, axes, when, linker):
            problems.append(Problem(f"{override.where}.when", f"never holds: {never(when, axes)}"))
    for axis, only in zip(axes.names, axes.only, strict=True):
        if only and not axes.mask(only, linker.gathered.rows).any():
            problems.append(
                Problem(only.where, f"never holds, so {axis!r} exists nowhere: {never(only, axes)}")
            )


def _resources_only(fields: Mapping[str, Any], axes: Axes, when: Condition, linker: Linker) -> bool:
    """Whether an override without fields holds at some point of the sweep."""
    return not fields and bool(axes.mask(when, linker.gathered.rows).any())


def _warnings(sweep: Sweep, sites: Sites) -> list[str]:
    """Nodes that nobody reads."""
    read: set[tuple[str, str]] = set()
    for site in sites.by_place.values():
        read |= {place for place, _ in sites.links(site)}
    return [
        f"methods.{method}.{node}: no node reads it, so it never runs"
        for method, nodes in sweep.methods.items()
        for node in nodes
        if node != MODEL and (method, node) not in read
    ]


__all__ = ["Job", "Output", "Plan", "Trial", "make_plan"]
