"""The outer shape of a sweep file, checked by pydantic; the grammar inside is read by `grammar`."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orchestrator.errors import Problem, unknown
from orchestrator.spec.tables import KIND, EntryDocument, keys_at

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: Any) -> float:
    """``90``, ``90s``, ``30m``, ``2h`` or ``1d`` in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value).strip())
    if isinstance(value, bool) or not match or not float(match[1]):
        raise ValueError(f"a time is a number with s, m, h or d (90s, 30m, 2h), got {value!r}")
    return float(match[1]) * UNITS[match[2] or "s"]


def _uri(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError(f"must be a folder, s3://bucket/prefix, or a mapping with uri, got {value!r}")
    return {"uri": value} if isinstance(value, str) else value


Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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


class Document(_Shape):
    """The top level of a sweep file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    axes: dict[str, Any]
    methods: dict[str, Any]
    exclude: list[dict[str, Any]] = []
    include: list[dict[str, Any]] = []
    evaluate: dict[str, Any] = {}
    defaults: dict[str, dict[str, Any]] = {}
    overrides: list[OverrideDocument] = []
    resources: dict[str, ResourcesDocument] = {}
    retries: RetriesDocument = RetriesDocument()
    timeout: dict[str, Annotated[float, BeforeValidator(_seconds)]] = {}
    keep: Literal["all", "metrics"] = "all"
    store: Annotated[StoreDocument, BeforeValidator(_uri)] | None = None
    tables: list[EntryDocument] = []


NEEDED = frozenset({"name", "axes", "methods"})
#: Sections without which fields or points are missing: no plan can be checked.
DECIDING = frozenset({"defaults", "overrides", "include", "exclude", "evaluate"})
_RULES = {
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "list_type": "must be a list",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be finite",
    "greater_than_equal": "must be at least {ge:g}",
    "literal_error": "must be {expected}",
    "too_short": "needs at least one",
}
_KINDS: dict[str, type[BaseModel]] = {
    "resources": ResourcesDocument,
    "retries": RetriesDocument,
    "store": StoreDocument,
    "overrides": OverrideDocument,
}


def read_document(data: Any) -> tuple[Document | None, list[Problem], frozenset[str]]:
    """The document, every problem of its shape, and the sections that could not be read.

    A section that cannot be read is left out, so that the rest of the file can still be checked; without
    axes or methods there is no document.
    """
    if not isinstance(data, dict):
        what = f"a sweep file is a mapping with {', '.join(sorted(NEEDED))}, got {_got(data)}"
        return None, [Problem("", what)], frozenset()
    problems = []
    known = Document.model_fields.keys()
    read = {key: value for key, value in data.items() if key in known}
    for key in data.keys() - known:
        problems.append(Problem(str(key), unknown("key", key, known)))
        for near in get_close_matches(str(key), known - read.keys(), n=1):
            read[near] = data[key]  # a misspelled section is read as what was meant
    try:
        return Document.model_validate(read), sorted(problems, key=str), frozenset()
    except ValidationError as error:
        problems += dict.fromkeys(_problem(detail) for detail in error.errors())
        bad = frozenset(str(detail["loc"][0]) for detail in error.errors() if detail["loc"])
    rest = {"name": "unnamed", **{key: value for key, value in read.items() if key not in bad}}
    document = Document.model_validate(rest) if rest.keys() >= NEEDED else None
    return document, problems, bad


def _problem(detail: Any) -> Problem:
    """A pydantic error in our words: where, what, what instead."""
    # a validator and the kind of a table are no places
    loc = [part for part in detail["loc"] if not str(part).startswith(("function-", KIND))]
    where = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(map(str, loc)))
    if detail["type"] == "extra_forbidden":
        if loc[0] == "tables":
            return Problem(where, unknown("key", loc[-1], keys_at(detail["loc"])))
        kind = _KINDS.get(str(loc[0]), Document)
        if loc[0] == "overrides" and "resources" in loc[:-1]:
            kind = ResourcesDocument
        return Problem(where, unknown("key", loc[-1], kind.model_fields))
    if detail["type"] == "missing":
        return Problem(where, "this key is needed")
    if detail["type"] == "string_pattern_mismatch":
        return Problem(where, f"must be made of a-z, 0-9, _ and -, got {detail['input']!r}")
    if detail["type"] == "value_error":
        return Problem(where, detail["msg"].removeprefix("Value error, "))
    rule = _RULES.get(detail["type"], detail["msg"]).format(**detail.get("ctx", {}))
    return Problem(where, f"{rule}, got {_got(detail['input'])}")


def _got(value: Any) -> str:
    return "nothing" if value is None else repr(value)
