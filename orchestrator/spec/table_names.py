"""The names that the entries of ``tables`` mention: nodes, keys, and values that must be there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.errors import Problem, unknown
from orchestrator.spec.document import Document
from orchestrator.spec.sweep import METHOD, MODEL, Beside, Best, Entry, Explain, Table
from orchestrator.spec.values import as_list, matches, mentioned, shown


def misnamed_in(entry: Entry, document: Document, where: str) -> Iterator[Problem]:
    """Every name of an entry that nothing has, and a choice among one."""
    if isinstance(entry, Beside):
        tables = zip(entry.values, entry.tables(), strict=True)
        found = (problem for value, table in tables for problem in _of_value(value, table, document, where))
        yield from dict.fromkeys(found)
        return
    within = entry.within if isinstance(entry, Best) else None
    values = {f"{where}.value": entry.value, **({f"{where}.within.value": within.value} if within else {})}
    wrong = False
    for place, value in values.items():
        for problem in _value(value, document, place):
            wrong = wrong or "." in value
            yield problem
    if wrong:  # the keys of a node that is not there are not known either
        return
    axes = {*document.axes, METHOD}
    own, others = (_own(value, document) for value in (entry.value, within.value if within else entry.value))
    for place, keys in _keys(entry).items():
        for key in keys:
            known = axes | own | (others if place == "where" else set())
            # `over` is seed where nothing is said, and a sweep need not have it
            if key not in known and not (place == "over" and key == "seed"):
                yield Problem(f"{where}.{place}", unknown("key", key, known))
    if isinstance(entry, Explain):
        yield from _explain(entry, document, where)
    if isinstance(entry, Best):
        yield from _best(entry, document, where)


def _of_value(value: str, table: Table, document: Document, where: str) -> Iterator[Problem]:
    """The problems of one of several values, in the place where it stands."""
    for problem in misnamed_in(table, document, where):
        place = f"{where}.values" if problem.where == f"{where}.value" else problem.where
        yield Problem(place, problem.what)


def _keys(entry: Table | Explain | Best) -> dict[str, Sequence[str]]:
    """Where in an entry keys stand, and which."""
    found: dict[str, Sequence[str]] = {"rows": entry.rows, "average": entry.average, "over": entry.over}
    if isinstance(entry, Table):
        found["columns"] = entry.columns
    elif isinstance(entry, Explain):
        found["explain"] = entry.factors
    else:
        found["best"] = (entry.axis,)
    return {**found, "where": tuple(entry.where)}


def _value(value: str, document: Document, place: str) -> Iterator[Problem]:
    node, dot, metric = value.partition(".")
    nodes = (MODEL, *document.evaluate)
    if not dot or not metric:
        yield Problem(place, f"must be node.metric, such as clean.accuracy, got {value!r}")
    elif node not in nodes:
        yield Problem(place, unknown("node", node, nodes))


def _own(value: str, document: Document) -> set[str]:
    """The keys ``node.key`` of the node of a value."""
    node = value.partition(".")[0]
    return {f"{node}.{key}" for key in _each(node, document.evaluate)}


def _explain(entry: Explain, document: Document, where: str) -> Iterator[Problem]:
    for key in dict.fromkeys(entry.factors):
        if entry.factors.count(key) > 1:
            yield Problem(f"{where}.explain", f"{key} stands here twice")
        if key in (*entry.rows, *entry.average):
            yield Problem(
                f"{where}.explain", f"{key} is a factor; it cannot stand in `rows` or `average` too"
            )
        if (one := _only(key, entry, document)) is not None:
            yield Problem(
                f"{where}.explain", f"{key} has one value here, {one}, and so explains nothing; leave it out"
            )


def _best(entry: Best, document: Document, where: str) -> Iterator[Problem]:
    if entry.axis in (*entry.rows, *entry.average, *entry.over):
        yield Problem(
            f"{where}.best", f"{entry.axis} is what is chosen; it cannot stand in `rows`, `average` or `over`"
        )
    if (one := _only(entry.axis, entry, document)) is not None:
        yield Problem(f"{where}.best", f"{entry.axis} has one value here, {one}: there is nothing to choose")
    axes = {*document.axes, METHOD}
    for key, wanted in (entry.within.of if entry.within else {}).items():
        place = f"{where}.within.of.{key}"
        if key not in axes:
            yield Problem(place, unknown("axis", key, axes))
        elif (listed := _listed(key, document)) is not None:
            for value in as_list(wanted):
                if not any(matches(there, value) for there in listed):
                    known = [str(shown(there)) for there in listed]
                    yield Problem(place, unknown(f"value of {key}", shown(value), known))


def _only(key: str, entry: Entry, document: Document) -> str | None:
    """The value of a key that an entry looks at, if there is one alone; None too if they are not known."""
    listed = _listed(key, document)
    if listed is None:
        return None
    if key in entry.where:
        wanted = as_list(entry.where[key])
        listed = [there for there in listed if any(matches(there, value) for value in wanted)]
    return str(shown(listed[0])) if len(listed) == 1 else None


def _listed(key: str, document: Document) -> Sequence[Any] | None:
    """The values of an axis, or of a node's own key, as far as the file itself says them all."""
    if key in document.axes:
        raw = document.axes[key]
        values = raw.get("values") if isinstance(raw, dict) else raw
    elif key == METHOD:
        values = list(document.methods)
    else:
        node, _, name = key.partition(".")
        values = [value for each in _eaches(node, document.evaluate) for value in as_list(each.get(name, ()))]
    if not isinstance(values, list) or any(True for value in values for _ in mentioned(value)):
        return None
    more = (value for raw in document.include for value in as_list(raw.get(key, ())))
    return _distinct([*values, *more])


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list({str(shown(value)): value for value in values}.values())


def _each(node: str, evaluate: Mapping[str, Any]) -> set[str]:
    """The keys of `each` in all alternatives of a node, and of the nodes whose work it may be."""
    return {key for each in _eaches(node, evaluate) for key in each}


def _eaches(node: str, evaluate: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The `each` of all alternatives of a node, and of the nodes whose work it may be."""
    waiting, asked = [node], {node}
    while waiting:
        given = evaluate.get(waiting.pop())
        for alternative in given if isinstance(given, list) else [given]:
            if isinstance(alternative, dict):
                each, use = alternative.get("each"), alternative.get("use")
                if isinstance(each, dict):
                    yield each
                if isinstance(use, str) and use not in asked:
                    asked.add(use)
                    waiting.append(use)
