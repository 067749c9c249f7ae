"""Results made by hand: no plan, no store, only what a table needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.report.rows import Planned, Results
from orchestrator.storage.manifest import Manifest


def manifest(address: str, metrics: Mapping[str, float], **more: Any) -> Manifest:
    return Manifest(address=address, attempt="abcd1234", stage="classify", metrics=metrics, **more)


def results(
    *outputs: tuple[Mapping[str, Any], Mapping[str, float] | float | None],
    node: str = "clean",
    metric: str = "test.accuracy",
    order: Mapping[str, Sequence[str]] | None = None,
    warnings: Mapping[int, tuple[str, ...]] | None = None,
    stale: tuple[int, ...] = (),
    epochs: Mapping[int, float] | None = None,
) -> Results:
    """Results of one node: each output is its keys (perhaps with ``address``) and its value or None."""
    planned, manifests, addresses = [], {}, []
    for index, (keys, value) in enumerate(outputs):
        address = str(keys.get("address", f"{index:016x}"))
        addresses.append(address)
        planned.append(Planned({key: item for key, item in keys.items() if key != "address"}, node, address))
        if value is not None:
            manifests[address] = manifest(address, value if isinstance(value, Mapping) else {metric: value})
    return Results(
        planned,
        manifests,
        {addresses[index]: texts for index, texts in (warnings or {}).items()},
        frozenset(addresses[index] for index in stale),
        order or {},
        (node,),
        {addresses[index]: count for index, count in (epochs or {}).items()},
    )
