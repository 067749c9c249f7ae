"""What an entry of ``tables`` is about: the outputs of its node that it selects, and their metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import InputError, unknown
from orchestrator.report.grouping import selected
from orchestrator.report.rows import Planned, Results


@dataclass(frozen=True)
class Selection:
    """The outputs whose ``value`` an entry shows."""

    value: str
    """What was asked for: ``node.metric``."""
    found: Sequence[Planned]
    names: Mapping[str, str]
    """Address -> the metric in its manifest; outputs without a result are left out."""
    keys: Sequence[str]
    """All keys that outputs of the node have, in the order of the sweep file."""
    missing: int
    """How many outputs have no result yet."""

    @property
    def planned(self) -> int:
        """How many results there are when everything is done."""
        return self.missing + len(self.names)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metric with their split: usually one; none before there is a result."""
        return tuple(dict.fromkeys(self.names.values()))


def select(
    value: str, where: Mapping[str, Any], named: Iterable[str], results: Results, place: str
) -> Selection:
    """The outputs that ``where`` selects; ``named`` are the keys that the entry speaks of elsewhere.

    Raises:
        InputError: it names a node, a key or a metric that is not there, or a metric of several splits.
    """
    node, _, metric = value.partition(".")
    found = [planned for planned in results.planned if planned.node == node]
    if not found and node not in results.nodes:
        nodes = {*results.nodes, *(planned.node for planned in results.planned)}
        raise InputError(f"{place}.value: {unknown('node', node, nodes)}")
    keys = list(dict.fromkeys([*results.order, *(key for planned in found for key in planned.keys)]))
    for key in (*named, *where):
        # `over` is seed where nothing is said, and a sweep need not have it
        if found and key not in keys and key != "seed":
            raise InputError(f"{place}: {unknown('key', key, keys)}")
    found = [planned for planned in found if selected(where, planned.keys)]
    names = resolve(metric, found, results, place)
    missing = {planned.address for planned in found} - results.manifests.keys()
    return Selection(value, found, names, keys, len(missing))


def resolve(metric: str, found: Iterable[Planned], results: Results, place: str) -> dict[str, str]:
    """Address -> the name of ``metric`` in its manifest, where the split may have been left out.

    Raises:
        InputError: there are manifests and none has this metric, or one has it for several splits.
    """
    names: dict[str, str] = {}
    others: set[str] = set()
    for address in dict.fromkeys(planned.address for planned in found):
        manifest = results.manifests.get(address)
        if manifest is None:
            continue
        fits = [name for name in manifest.metrics if name == metric or name.endswith(f".{metric}")]
        if metric in fits:
            fits = [metric]
        if len(fits) > 1:
            raise InputError(
                f"{place}.value: {metric!r} is there for several splits: {', '.join(sorted(fits))}"
            )
        if fits:
            names[address] = fits[0]
        others.update(manifest.metrics)
    if others and not names:
        raise InputError(f"{place}.value: {unknown('metric', metric, others)}")
    return names


def title_of(value: str, metrics: Sequence[str]) -> str:
    """The value with its split where that is one: ``clean.test.accuracy``."""
    return f"{value.partition('.')[0]}.{metrics[0]}" if len(metrics) == 1 else value
