"""From a `Sweep` to a `Plan`: expand, link, de-duplicate by address."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.errors import Problem, SpecError, unknown
from orchestrator.plan import checks
from orchestrator.plan.ancestry import Ancestry
from orchestrator.plan.dependencies import Sites
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
    except SpecError as error:
        raise _failed(sweep, [*problems, *error.problems]) from None
    selected = _selected(rows, axes, where, problems)
    before = len(problems)
    sites = Sites(sweep, axes, problems)
    understood = len(problems) == before and not sweep.broken
    linker = Linker(sweep, sites, rows, problems)
    # what was not understood is left out, so that the rest is checked too
    trials, targets = _link(sweep, axes, sites, linker, selected)
    if understood:
        problems += checks.unmentioned(sites, axes)
        if not where:
            problems += checks.unmet(sweep, axes, linker, sure=not problems)
    if not problems:
        problems += Ancestry(linker).disagreements()
    if problems:
        raise _failed(sweep, problems)
    return Plan(
        sweep,
        linker,
        trials,
        targets,
        [*checks.unread(sweep, sites), *checks.idle(sweep, linker), *checks.unselected(sweep)],
        partial=bool(where),
    )


def _failed(sweep: Sweep, problems: Sequence[Problem]) -> SpecError:
    return SpecError(
        Problem(f"{sweep.path}: {p.where}" if p.where else str(sweep.path), p.what) for p in problems
    )


def _selected(rows: Rows, axes: Axes, where: Where, problems: list[Problem]) -> Rows:
    """The points that all of ``where`` selects; all points if something is wrong with it, which is noted."""
    wanted: list[tuple[str, tuple[Any, ...]]] = []
    found: list[Problem] = []
    for text in where if not isinstance(where, Mapping) else ():
        axis, equals, value = text.partition("=")
        if not equals:
            found.append(Problem(f"--where {text}", "must be axis=value, such as method=rigl"))
            continue
        try:
            wanted.append((axis.strip(), as_list(read_value(value, f"--where {axis}"))))
        except SpecError as error:
            found += error.problems
    if isinstance(where, Mapping):
        wanted = [(axis, as_list(value)) for axis, value in where.items()]
    for axis, _ in wanted:
        if axis not in axes.index:
            found.append(Problem(f"--where {axis}", unknown("axis", axis, axes.names)))
    if found:
        problems += found
        return rows
    condition = Condition(tuple(wanted), "--where")
    selected = rows[axes.mask(condition, rows)]
    if len(rows) and not len(selected):
        said = " ".join(f"{axis}={'|'.join(str(shown(v)) for v in values)}" for axis, values in wanted)
        problems.append(Problem(f"--where {said}", f"selects no trial: {never(condition, axes)}"))
        return rows
    return selected


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
