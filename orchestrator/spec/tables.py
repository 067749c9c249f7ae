"""The entries of ``tables``: their keys as pydantic checks them, one model a kind."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag

from orchestrator.spec.sweep import Beside, Best, Entry, Explain, Table, Within

#: Before the kind of an entry where pydantic puts it into a place.
KIND = "kind "
Better = Literal["higher", "lower"] | None


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_one_or_many)]


class _Cells(BaseModel, extra="forbid", strict=True, frozen=True):
    """What a cell of a table stands for, whatever its value."""

    rows: Names = []
    columns: Names = []
    average: Names = []
    over: Names = ["seed"]
    where: dict[str, Any] = {}

    def keys(self) -> dict[str, Any]:
        """All of it as plain values, by name."""
        names = {"rows": self.rows, "columns": self.columns, "average": self.average, "over": self.over}
        return {**{name: tuple(keys) for name, keys in names.items()}, "where": self.where}


class TableDocument(_Cells, extra="forbid", strict=True, frozen=True):
    """``{rows: [...], columns: ..., value: node.metric, average: [...], over: [seed], where: {...}}``."""

    value: str

    def entry(self) -> Entry:
        """The entry as a plain value."""
        return Table(value=self.value, **self.keys())


class BesideDocument(_Cells, extra="forbid", strict=True, frozen=True):
    """As a table, with ``values: [node.metric, ...]``."""

    values: Annotated[list[str], Field(min_length=1)]

    def entry(self) -> Entry:
        """The entry as a plain value."""
        return Beside(tuple(self.values), **self.keys())


class ExplainDocument(BaseModel, extra="forbid", strict=True, frozen=True):
    """``{explain: [factor, ...], value: node.metric, rows: [...], over: [seed], where: {...}}``."""

    explain: Annotated[Names, Field(min_length=1)]
    value: str
    rows: Names = []
    average: Names = []
    over: Names = ["seed"]
    where: dict[str, Any] = {}

    def entry(self) -> Entry:
        """The entry as a plain value."""
        over = tuple(key for key in self.over if key not in self.explain)
        return Explain(
            tuple(self.explain), self.value, tuple(self.rows), over, self.where, tuple(self.average)
        )


class WithinDocument(BaseModel, extra="forbid", strict=True, frozen=True):
    """``{value: node.metric, points: 1, of: {method: dense}, better: higher}``."""

    value: str
    points: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    of: Annotated[dict[str, Any], Field(min_length=1)]
    better: Better = None


class BestDocument(BaseModel, extra="forbid", strict=True, frozen=True):
    """``{best: axis, value: node.metric, better: higher, rows: [...], within: {...}, where: {...}}``."""

    best: str
    value: str
    better: Better = None
    rows: Names = []
    average: Names = []
    over: Names = ["seed"]
    where: dict[str, Any] = {}
    within: WithinDocument | None = None

    def entry(self) -> Entry:
        """The entry as a plain value."""
        near = self.within
        return Best(
            self.best,
            self.value,
            tuple(self.rows),
            tuple(self.over),
            self.where,
            tuple(self.average),
            Within(near.value, near.points, near.of, near.better) if near else None,
            self.better,
        )


#: Kind -> its model. An entry is of the kind whose name is one of its keys, else a table.
KINDS: dict[str, type[TableDocument | BesideDocument | ExplainDocument | BestDocument]] = {
    "explain": ExplainDocument,
    "best": BestDocument,
    "values": BesideDocument,
    "table": TableDocument,
}


def kind_of(entry: Any) -> str:
    """The kind of an entry as it stands in the file, marked as one."""
    found = (kind for kind in KINDS if isinstance(entry, dict) and kind in entry)
    return KIND + next(found, "table")


EntryDocument = Annotated[
    Annotated[ExplainDocument, Tag(f"{KIND}explain")]
    | Annotated[BestDocument, Tag(f"{KIND}best")]
    | Annotated[BesideDocument, Tag(f"{KIND}values")]
    | Annotated[TableDocument, Tag(f"{KIND}table")],
    Discriminator(kind_of),
]


def keys_at(loc: tuple[Any, ...]) -> list[str]:
    """The keys that are known at a place of ``tables``, as pydantic names it."""
    kind = next((str(part).removeprefix(KIND) for part in loc if str(part).startswith(KIND)), "table")
    if "within" in loc[:-1]:
        return list(WithinDocument.model_fields)
    return [*KINDS[kind].model_fields, *((key for key in KINDS if key != "table") if kind == "table" else ())]
