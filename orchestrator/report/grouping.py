"""Which trials a table shows, in which row and column each stands, and in which order these come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from orchestrator.report.rows import ABSENT, Planned, text_of
from orchestrator.spec.values import as_list, key_of, shown

#: The value of every header key, as text.
Header = tuple[str, ...]
Groups = Mapping[tuple[Header, Header], Sequence[Planned]]


def selected(where: Mapping[str, Any], keys: Mapping[str, Any]) -> bool:
    """Whether a trial with these ``keys`` belongs into a table; a key it lacks does not match."""
    return all(
        key in keys and any(same(keys[key], wanted) for wanted in as_list(given))
        for key, given in where.items()
    )


def same(value: Any, wanted: Any) -> bool:
    """Whether ``value``, as it is shown, is the wanted one; what was a mapping also matches by its name."""
    if key_of(value) == key_of(shown(wanted)):
        return True
    name, parts = pieces(str(value))
    wanted_name, wanted_parts = pieces(str(shown(wanted)))
    return "(" in str(value) and name == wanted_name and wanted_parts <= parts


def pieces(text: str) -> tuple[str, set[str]]:
    """The name and the fields of ``wide_resnet(depth=22, width=2)``."""
    name, _, fields = text.removesuffix(")").partition("(")
    return name, set(fields.split(", ")) - {""}


def grouped(found: Iterable[Planned], rows: Sequence[str], columns: Sequence[str]) -> Groups:
    """The outputs by row and column; one that lacks a column key stands in every column of that key."""
    heads = [(header(planned, rows), header(planned, columns), planned) for planned in found]
    spread = covering(dict.fromkeys(column for _, column, _ in heads))
    groups: dict[tuple[Header, Header], list[Planned]] = defaultdict(list)
    for row, column, planned in heads:
        for into in spread[column]:
            groups[row, into].append(planned)
    return groups


class Keyed(Protocol):
    """What has values of keys: an output of a trial, or a result of several."""

    @property
    def keys(self) -> Mapping[str, Any]:
        """Key -> value, as shown."""
        ...


def header(planned: Keyed, keys: Sequence[str]) -> Header:
    """The values of ``keys``, with `ABSENT` where there is none."""
    return tuple(text_of(planned.keys[key]) if key in planned.keys else ABSENT for key in keys)


def values_of(keys: Sequence[str], texts: Header, written: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    """Key -> value of a header, without the keys that the trials lack; ``written`` is that of `writing`."""
    return {key: written[key, text] for key, text in zip(keys, texts, strict=True) if text != ABSENT}


def writing(found: Iterable[Planned]) -> dict[tuple[str, str], Any]:
    """Key and text in a header -> the value itself."""
    return {(key, text_of(value)): value for planned in found for key, value in planned.keys.items()}


def covering(columns: Collection[Header]) -> dict[Header, list[Header]]:
    """Column -> the columns it shows in: itself, or all that fill in what it lacks."""

    def fills(full: Header, partial: Header) -> bool:
        pairs = list(zip(full, partial, strict=True))
        return full != partial and all(there in (here, ABSENT) for here, there in pairs)

    stay = [column for column in columns if not any(fills(other, column) for other in columns)]
    return {
        column: [column] if column in stay else [other for other in stay if fills(other, column)]
        for column in columns
    }


def varies(key: str, groups: Iterable[Sequence[Planned]]) -> bool:
    """Whether two different stages of one cell differ in ``key``.

    A stage that several trials share (an ensemble over all seeds) has all their values at once.
    """
    for members in groups:
        values: dict[str, set[str]] = defaultdict(set)
        for planned in members:
            values[planned.address].update(header(planned, (key,)))
        if len({frozenset(found) for found in values.values()}) > 1:
            return True
    return False


def ordered(
    headers: Iterable[Header], keys: Sequence[str], order: Mapping[str, Sequence[str]]
) -> tuple[Header, ...]:
    """Each of ``headers`` once: absent values first, then as in the sweep file, then as they come."""
    once = list(dict.fromkeys(headers))
    ranks: list[dict[str, int]] = []
    for index, key in enumerate(keys):
        values = dict.fromkeys([ABSENT, *order.get(key, ()), *(entry[index] for entry in once)])
        ranks.append({value: rank for rank, value in enumerate(values)})
    return tuple(
        sorted(once, key=lambda entry: [rank[value] for rank, value in zip(ranks, entry, strict=True)])
    )
