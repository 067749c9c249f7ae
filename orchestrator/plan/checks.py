"""What is odd about a whole plan: axes nobody mentions, conditions that never hold, unread nodes."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator import build
from orchestrator.errors import Problem, SpecError, unknown
from orchestrator.plan.dependencies import Site, Sites
from orchestrator.plan.linker import Linker
from orchestrator.plan.points import Axes, never, strange
from orchestrator.spec.sweep import METHOD, MODEL, Alternative, Override, Sweep
from orchestrator.spec.values import Condition, as_list, matches, mentioned, shown
from orchestrator.stage import Stage


def unmentioned(sites: Sites, axes: Axes) -> Iterator[Problem]:
    """The axes that no node depends on."""
    used = {axis for site in sites.by_place.values() for axis in site.axes}
    for i, name in enumerate(axes.names):
        if i not in used and name != METHOD:
            yield Problem(axes.places[i], f"nothing mentions this axis; write ${name} where it belongs")


def unmet(sweep: Sweep, axes: Axes, linker: Linker, sure: bool) -> Iterator[Problem]:
    """The conditions that hold at no planned point.

    Where the plan is not ``sure``, because something in it is wrong, only those that ask for a value that
    nothing has.
    """
    rows = linker.gathered.rows
    for axis, only in zip(axes.names, axes.only, strict=True):
        if only and not axes.mask(only, rows).any():
            yield Problem(only.where, f"never holds, so {axis!r} exists nowhere: {never(only, axes)}")
    for when, asked in _asked(sweep, linker):
        if (
            id(when) not in linker.chooser.held
            and not axes.mask(asked, rows).any()
            and (sure or strange(when, axes))
        ):
            yield Problem(when.where, f"never holds: {never(when, axes)}")
    for override in sweep.overrides:
        holding = override.when
        if holding and not _applies(override, holding, linker) and (sure or strange(holding, axes)):
            why = (
                "none of its nodes is planned there"
                if axes.mask(holding, rows).any()
                else never(holding, axes)
            )
            yield Problem(holding.where, f"never holds: {why}")


def _asked(sweep: Sweep, linker: Linker) -> Iterator[tuple[Condition, Condition]]:
    """The conditions of nodes that are planned, and what must hold at some point.

    A node of a method that is only read is planned at points of other methods.
    """
    reached = {place for place, site in linker.sites.by_place.items() if linker.reached(site)}
    for method, nodes in sweep.methods.items():
        for node, alternatives in nodes.items():
            for alternative in alternatives if (method, node) in reached else ():
                if alternative.when:
                    possible = Sites.possible(alternative.when, method)
                    yield alternative.when, alternative.when.without(METHOD) if possible else alternative.when
    evaluated = [nodes for name, nodes in sweep.evaluate.items() if any(name == node for _, node in reached)]
    yield from ((a.when, a.when) for alternatives in evaluated for a in alternatives if a.when)


def _applies(override: Override, when: Condition, linker: Linker) -> bool:
    """Whether an override's condition holds at a planned point of a node that it is about.

    It is asked at the node's own point: what the node does not depend on does not exist there. Where none of
    its nodes is planned there is nothing to ask.
    """
    keys = override.set.keys() | override.resources.keys()
    about = [
        site
        for site in linker.sites.by_place.values()
        if linker.reached(site) and keys & {site.node, site.name, *(a.stage for a in site.alternatives)}
    ]
    if not about:
        return bool(override.set) or not strange(when, linker.axes)
    return id(when) in linker.chooser.held or any(
        linker.axes.holds(when, linker.chooser.scope(site).codes(codes))
        for site in about
        for codes in linker.codes(site)
    )


def unselected(sweep: Sweep) -> Iterator[str]:
    """The values that tables ask for and no axis lists, as sentences."""
    listed = {axis.name: list(axis.values) for axis in sweep.axes}
    for included in sweep.include:
        for name, values in included.items():
            listed.setdefault(name, []).extend(values)
    for i, table in enumerate(sweep.tables):
        for key, wanted in table.where.items():
            for value in as_list(wanted) if key in listed else ():
                if not any(matches(there, value) for there in listed[key]):
                    known = [str(shown(there)) for there in listed[key]]
                    yield f"tables[{i}].where.{key}: {unknown('value', shown(value), known)}"


def unread(sweep: Sweep, sites: Sites) -> Iterator[str]:
    """The nodes that no node reads, as sentences."""
    read = {place for site in sites.by_place.values() for place, _ in sites.links(site)}
    for method, nodes in sweep.methods.items():
        for node in nodes:
            if node != MODEL and (method, node) not in read:
                yield f"methods.{method}.{node}: no node reads it, so it never runs"


def idle(sweep: Sweep, linker: Linker) -> Iterator[str]:
    """The keys of `each` that change nothing, as sentences: a misspelled field would be one."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for site in filter(linker.reached, linker.sites.by_place.values()):
        for alternative in site.alternatives:
            if not alternative.each:
                continue
            try:
                kind: type[Stage] = build.find(sweep.package, alternative.stage)
            except SpecError:  # an alternative that is chosen nowhere
                continue
            fields = build.field_types(kind)
            said = {*fields, *_mentioned(sweep, site, alternative)}
            for key in alternative.each:
                where = f"{alternative.where}.each.{key}"
                used |= {where} if key in said else set()
                known = unknown(f"field of {alternative.stage}", key, fields)
                found[where] = f"{where}: changes nothing, and ${key} stands nowhere: {known}"
    yield from (sentence for where, sentence in found.items() if where not in used)


def _mentioned(sweep: Sweep, site: Site, alternative: Alternative) -> Iterator[str]:
    """The names that stand behind a dollar in what an alternative of a site is made of."""
    yield from mentioned([alternative.fields, sweep.defaults.get(alternative.stage, {})])
    for override in site.overrides:
        yield from mentioned([override.set.get(key, {}) for key in (site.node, site.name)])
    for references in (*alternative.reads.values(), filter(None, [alternative.tries])):
        yield from mentioned([reference.pins for reference in references])
