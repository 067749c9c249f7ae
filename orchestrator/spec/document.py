"""The outer shape of a sweep file, checked by pydantic; the grammar inside is read by `grammar`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestrator.errors import Problem, unknown

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: Any) -> float:
    """``90``, ``90s``, ``30m``, ``2h`` or ``1d`` in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value).strip())
    if isinstance(value, bool) or not match or not float(match[1]):
        raise ValueError(f"a time is a number with s, m, h or d (90s, 30m, 2h), got {value!r}")
    return float(match[1]) * UNITS[match[2] or "s"]


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_one_or_many)]
Node = dict[str, Any] | list[dict[str, Any]]
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AxisDocument(_Shape):
    """``{values: [...], only: {...}}``."""

    values: list[Any]
    only: dict[str, Any] | None = None


class OverrideDocument(_Shape):
    """``{when: {...}, set: {node: {field: value}}, resources: {node: {...}}}``."""

    when: dict[str, Any] | None = None
    set: dict[str, dict[str, Any]] = {}
    resources: dict[str, ResourcesDocument] = {}


class ResourcesDocument(_Shape):
    """``{cpus: 1, gpus: 0.25, memory_gib: 2}``."""

    cpus: Share | None = None
    gpus: Share | None = None
    memory_gib: Share | None = None


class RetriesDocument(_Shape):
    """``{system: 3, error: 1}``."""

    system: Annotated[int, Field(ge=0)] = 3
    error: Annotated[int, Field(ge=0)] = 1


class StoreDocument(_Shape):
    """``{uri: s3://bucket/prefix, endpoint: ..., region: ..., profile: ...}``."""

    uri: str
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None


class TableDocument(_Shape):
    """``{rows: [...], columns: ..., value: node.metric, over: [seed], where: {...}}``."""

    value: str
    rows: Names = []
    columns: Names = []
    over: Names = ["seed"]
    where: dict[str, Any] = {}


class Document(_Shape):
    """The top level of a sweep file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    axes: dict[str, list[Any] | AxisDocument]
    methods: dict[str, dict[str, Node]]
    exclude: list[dict[str, Any]] = []
    include: list[dict[str, Any]] = []
    evaluate: dict[str, Node] = {}
    defaults: dict[str, dict[str, Any]] = {}
    overrides: list[OverrideDocument] = []
    resources: dict[str, ResourcesDocument] = {}
    retries: RetriesDocument = RetriesDocument()
    timeout: dict[str, Annotated[float, BeforeValidator(_seconds)]] = {}
    keep: Literal["all", "metrics"] = "all"
    store: str | StoreDocument | None = None
    tables: list[TableDocument] = []


NEEDED = frozenset({"name", "axes", "methods"})
_KINDS: dict[str, type[BaseModel]] = {
    "axes": AxisDocument,
    "resources": ResourcesDocument,
    "retries": RetriesDocument,
    "store": StoreDocument,
    "tables": TableDocument,
    "overrides": OverrideDocument,
}


def read_document(data: Any) -> tuple[Document | None, list[Problem]]:
    """The document with every problem of its shape.

    A section that cannot be read is left out, so that the rest of the file can still be checked; without the
    needed ones there is no document.
    """
    if not isinstance(data, dict):
        return None, [
            Problem("", f"a sweep file is a mapping with {', '.join(sorted(NEEDED))}, got {data!r}")
        ]
    try:
        return Document.model_validate(data), []
    except ValidationError as error:
        problems = list(dict.fromkeys(_problem(detail) for detail in error.errors()))
        bad = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    rest = {key: value for key, value in data.items() if key not in bad}
    if not rest.keys() >= NEEDED:
        return None, problems
    return Document.model_validate(rest), problems


def _problem(detail: Any) -> Problem:
    """A pydantic error in our words: where, what, what instead."""
    # pydantic names the branch of a union it tried ("dict[str,any]", "AxisDocument"): no place in the file
    loc = [
        part for part in detail["loc"] if not re.search(r"[\[\]A-Z]|^(?:str|list|dict|function)", str(part))
    ]
    where = ".".join(map(str, loc))
    where = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", where)
    if detail["type"] == "extra_forbidden":
        kind: type[BaseModel] = Document if len(loc) == 1 else _KINDS.get(str(loc[0]), Document)
        if loc[0] == "overrides" and "resources" in loc[:-1]:
            kind = ResourcesDocument
        return Problem(where, unknown("key", loc[-1], kind.model_fields))
    if detail["type"] == "missing":
        return Problem(where, "this key is needed")
    if detail["type"] == "string_pattern_mismatch":
        return Problem(where, f"must be made of a-z, 0-9, _ and -, got {detail['input']!r}")
    message = detail["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return Problem(where, f"{message}" if "got" in message else f"{message}, got {detail['input']!r}")
