"""A sweep as plain frozen values: what the file says, checked for its shape, nothing expanded yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.spec.values import Condition
from orchestrator.storage.base import StoreConfig

if TYPE_CHECKING:
    from orchestrator.plan import Plan

METHOD = "method"
MODEL = "model"


@dataclass(frozen=True)
class Axis:
    """A name, its values as written, and where it exists (None: everywhere)."""

    name: str
    values: tuple[Any, ...]
    only: Condition | None
    where: str


@dataclass(frozen=True)
class Reference:
    """``[method.]node[@{axis: value}][/part]``: whose output is read, and how the point moves on the way."""

    node: str
    method: str | None = None
    pins: tuple[tuple[str, Any], ...] = ()
    part: str | None = None
    where: str = ""

    def __str__(self) -> str:
        pins = ", ".join(f"{axis}: {value}" for axis, value in self.pins)
        method = f"{self.method}." if self.method else ""
        return (
            f"{method}{self.node}" + (f"@{{{pins}}}" if pins else "") + (f"/{self.part}" if self.part else "")
        )


@dataclass(frozen=True)
class Alternative:
    """One way to be a node: a stage with its fields and reads, or another node's work (``use``)."""

    where: str
    when: Condition | None = None
    use: str | None = None
    stage: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    reads: Mapping[str, tuple[Reference, ...]] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()
    """The roles whose references were written as a list."""
    each: Mapping[str, Any] = field(default_factory=dict)
    tries: Reference | None = None
    """What a search tries: the node `try`, moved by `at`."""


@dataclass(frozen=True)
class Override:
    """Fields and resources that are set by node, where a condition holds."""

    when: Condition | None
    set: Mapping[str, Mapping[str, Any]]
    resources: Mapping[str, Mapping[str, float]]
    where: str


@dataclass(frozen=True)
class Table:
    """A table of the report: what its rows and columns are, the value in a cell, and what is averaged."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    value: str
    over: tuple[str, ...] = ("seed",)
    where: Mapping[str, Any] = field(default_factory=dict)
    average: tuple[str, ...] = ()
    """Keys over whose values the mean is taken first: a cell then has the mean and spread of these means."""


@dataclass(frozen=True)
class Beside:
    """Several values beside each other, a group of columns for each."""

    values: tuple[str, ...]
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    over: tuple[str, ...] = ("seed",)
    where: Mapping[str, Any] = field(default_factory=dict)
    """A key of a node itself, ``node.key``, restricts the values of that node alone."""
    average: tuple[str, ...] = ()

    def tables(self) -> tuple[Table, ...]:
        """The table of each value."""
        nodes = {value.partition(".")[0] for value in self.values}
        made = []
        for value in self.values:
            others = tuple(f"{node}." for node in nodes - {value.partition(".")[0]})
            where = {key: wanted for key, wanted in self.where.items() if not key.startswith(others)}
            average = tuple(key for key in self.average if not key.startswith(others))
            made.append(Table(self.rows, self.columns, value, self.over, where, average))
        return tuple(made)


@dataclass(frozen=True)
class Explain:
    """How much of the variance of a value each of some factors explains."""

    factors: tuple[str, ...]
    value: str
    rows: tuple[str, ...] = ()
    """Keys for each of whose values the variance is taken apart by itself."""
    over: tuple[str, ...] = ("seed",)
    """What repeats a result: its spread is the residual."""
    where: Mapping[str, Any] = field(default_factory=dict)
    average: tuple[str, ...] = ()


@dataclass(frozen=True)
class Within:
    """How much worse than a reference a network may be in ``value``."""

    value: str
    points: float
    """Percentage points where the value is shown in percent, else in its own unit."""
    of: Mapping[str, Any]
    """Picks the reference among the trials that otherwise have the same axes."""
    better: Literal["higher", "lower"] | None = None


@dataclass(frozen=True)
class Best:
    """Per row, the value of an axis (or of a key of the node) with the best mean ``value``."""

    axis: str
    value: str
    rows: tuple[str, ...] = ()
    over: tuple[str, ...] = ("seed",)
    where: Mapping[str, Any] = field(default_factory=dict)
    average: tuple[str, ...] = ()
    within: Within | None = None
    better: Literal["higher", "lower"] | None = None
    """None: as the name of the metric says."""


#: What may stand under ``tables``.
Entry = Table | Beside | Explain | Best


@dataclass(frozen=True)
class Retries:
    """How often a stage is tried again after the system failed it, and after it raised."""

    system: int = 3
    error: int = 1


#: Nodes of one scope by name: the alternatives of each, the first that holds wins.
Nodes = Mapping[str, tuple[Alternative, ...]]


@dataclass(frozen=True)
class Sweep:
    """What a sweep file says."""

    path: Path
    name: str
    package: str
    """Where stages are found by name."""
    axes: tuple[Axis, ...]
    methods: Mapping[str, Nodes]
    evaluate: Nodes
    exclude: tuple[Condition, ...] = ()
    include: tuple[Mapping[str, tuple[Any, ...]], ...] = ()
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    resources: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    timeout: Mapping[str, float] = field(default_factory=dict)
    retries: Retries = Retries()
    keep: Literal["all", "metrics"] = "all"
    store: StoreConfig | None = None
    tables: tuple[Entry, ...] = ()
    broken: frozenset[str] = frozenset()
    """Nodes left out because they could not be read; references to them are not reported again."""
    broken_axes: frozenset[str] = frozenset()
    """Axes whose values could not be read; what is said about their values is not reported."""
    large: bool = False
    """Whether a product of more than a million points was agreed to."""

    @property
    def seeds(self) -> Sequence[Any]:
        """The values of the axis ``seed``, if there is one."""
        return next((axis.values for axis in self.axes if axis.name == "seed"), ())

    def plan(self, where: Sequence[str] | Mapping[str, Any] = ()) -> Plan:
        """The plan of this sweep, or of the trials that ``where`` (``["method=rigl"]``) selects.

        Raises:
            SpecError: every problem of the file at once.
        """
        from orchestrator.plan import make_plan

        return make_plan(self, where)
