"""What a sweep asks for, beside what the store has of it: one tidy row per trial, output and metric."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.report.ancestry import epochs, stale, warnings
from orchestrator.spec.sweep import METHOD, MODEL, Sweep
from orchestrator.spec.values import shown

if TYPE_CHECKING:
    import pandas

    from orchestrator.plan import Plan
    from orchestrator.storage.manifest import Manifest
    from orchestrator.storage.store import Store

#: What stands for an axis that a trial does not have, and for a number that is not there.
ABSENT = "–"  # noqa: RUF001 - what a table has where there is no number
OWN = ("node", "metric", "value", "address", "warnings", "stale")


@dataclass(frozen=True, slots=True)
class Planned:
    """What one evaluate node of one trial points at, whether it is there or not."""

    keys: Mapping[str, Any]
    """The trial's axes, ``method``, and the node's own keys as ``node.key``; values as shown."""
    node: str
    address: str


@dataclass(frozen=True, slots=True)
class Row:
    """One number of the sweep."""

    keys: Mapping[str, Any]
    node: str
    metric: str
    """With its split: ``test.accuracy``."""
    value: float
    address: str
    warnings: tuple[str, ...]
    """Of the stage and of everything it was made from."""
    stale: bool
    """Whether something it was made from has been rebuilt with another result since."""


@dataclass(frozen=True)
class Results:
    """Everything a sweep asks for and what there is of it."""

    planned: Sequence[Planned]
    manifests: Mapping[str, Manifest]
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Address -> sentences that must travel with its numbers; addresses without any are left out."""
    stale: Collection[str] = frozenset()
    order: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Key -> its values as text, in the order of the sweep file."""
    nodes: Collection[str] = ()
    """The nodes that a table may name, whether a trial has them or not."""
    epochs: Mapping[str, float] = field(default_factory=dict)
    """Address -> the epochs of training behind it; addresses without any are left out."""

    def epochs_of(self, addresses: Iterable[str]) -> tuple[float, ...]:
        """The different epochs of training behind the outputs at ``addresses``, ascending."""
        return tuple(sorted({self.epochs[address] for address in addresses if address in self.epochs}))

    def rows(self) -> Iterator[Row]:
        """Every number that is there, in the order of the plan; missing outputs have no rows."""
        for planned in self.planned:
            manifest = self.manifests.get(planned.address)
            for metric, value in manifest.metrics.items() if manifest else ():
                yield Row(
                    planned.keys,
                    planned.node,
                    metric,
                    value,
                    planned.address,
                    self.warnings.get(planned.address, ()),
                    planned.address in self.stale,
                )

    def columns(self) -> dict[str, str]:
        """Key of a row -> its column in a tidy table, in the order of the sweep file.

        An axis that is called like one of our own columns gets ``axis.`` in front.
        """
        keys = dict.fromkeys([*self.order, *(key for planned in self.planned for key in planned.keys)])
        return {key: f"axis.{key}" if key in OWN else key for key in keys}

    def records(self) -> Iterator[dict[str, Any]]:
        """The rows as flat mappings that all have the same keys; None where a trial lacks an axis."""
        columns = self.columns()
        for row in self.rows():
            yield {
                **{column: row.keys.get(key) for key, column in columns.items()},
                "node": row.node,
                "metric": row.metric,
                "value": row.value,
                "address": row.address,
                "warnings": "; ".join(row.warnings),
                "stale": row.stale,
            }

    def frame(self) -> pandas.DataFrame:
        """The rows as a data frame."""
        import pandas  # takes more than a second

        return pandas.DataFrame(list(self.records()), columns=[*self.columns().values(), *OWN])


def planned_outputs(plan: Plan) -> list[Planned]:
    """What the trials of ``plan`` ask for, evaluate node by evaluate node."""
    found = []
    for trial in plan.trials:
        point = {"method": trial.method, **trial.point}
        for output in trial.outputs:
            own = {f"{output.node}.{key}": value for key, value in output.each.items()}
            found.append(
                Planned({**point, **own} if own else point, output.node, plan.addresses[output.stage])
            )
    return found


def read(plan: Plan, store: Store) -> Results:
    """The results of ``plan`` as far as ``store`` has them."""
    manifests = store.manifests(plan.addresses)
    return Results(
        planned_outputs(plan),
        manifests,
        warnings(plan, manifests),
        stale(plan, manifests),
        order_of(plan.sweep),
        (MODEL, *plan.sweep.evaluate),
        epochs(plan, manifests),
    )


def order_of(sweep: Sweep) -> dict[str, list[str]]:
    """Key -> its values as text, in the order of the sweep file."""
    listed = {axis.name: [text_of(shown(value)) for value in axis.values] for axis in sweep.axes}
    return listed if METHOD in listed else {METHOD: list(sweep.methods), **listed}


def text_of(value: Any) -> str:
    """How the value of an axis stands in a table: as in the sweep file."""
    return str(value).lower() if isinstance(value, bool) else str(value)
