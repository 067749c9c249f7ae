"""From a value to the address of its result.

The address is the first 16 hexadecimal digits of the sha256 of a canonical JSON text: stage name, version
(1 is omitted), fields, and the addresses of the inputs by role. 64 bits: a million stages collide with
probability 3e-8, and on a hit the full canonical text in the manifest is compared.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from orchestrator.stage import LATER

OMIT_DEFAULT = next(iter(LATER))

#: What a stage reads under a role, as ``address`` or ``address/part``, or a list of these.
Input = str | list[str]


def name_of(value: Any) -> str:
    """The name of a component or stage: that of the file its class stands in."""
    kind = value if isinstance(value, type) else type(value)
    return kind.__module__.rpartition(".")[2]


def canonical(value: Any, where: str = "value") -> Any:
    """``value`` as data with one JSON form: components become mappings with their ``name``.

    Raises:
        TypeError: ``value`` holds something without a stable JSON form; names its type and place.
        ValueError: a number is NaN or infinite.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where}: a number must be finite, got {value}")
        return value + 0.0  # -0.0 becomes 0.0
    if isinstance(value, list | tuple):
        return [canonical(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{where}: the keys of a mapping must be text, got {sorted(map(repr, value))}")
        return {key: canonical(item, f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"name": name_of(value), **version_of(value), **fields_of(value, where)}
    raise TypeError(f"{where}: a {type(value).__name__} has no stable JSON form")


def version_of(value: Any) -> dict[str, int]:
    """``{"version": n}``, or nothing for version 1."""
    version = getattr(value, "version", 1)
    return {} if version == 1 else {"version": version}


def fields_of(value: Any, where: str = "value") -> dict[str, Any]:
    """The fields of a frozen dataclass as canonical data, less those marked `LATER` at their default."""
    return {
        field.name: canonical(getattr(value, field.name), f"{where}.{field.name}")
        for field in dataclasses.fields(value)
        if not (field.metadata.get(OMIT_DEFAULT) and getattr(value, field.name) == default_of(field))
    }


def default_of(field: dataclasses.Field[Any]) -> Any:
    """The default of a dataclass field, or `dataclasses.MISSING`."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def to_json(value: Any) -> str:
    """The one JSON text of canonical data: sorted keys, no spaces, no NaN, text as UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def text_of(stage: Any, inputs: Mapping[str, Input]) -> str:
    """The canonical text that the address is the hash of.

    The keys stand in sorted order (fields, inputs, stage, version): the planner fills in fields and inputs.
    """
    return to_json(
        {"fields": fields_of(stage), "inputs": dict(inputs), "stage": name_of(stage), **version_of(stage)}
    )


def digest(text: str) -> str:
    """The 16 hexadecimal digits that stand for ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def address(stage: Any, inputs: Mapping[str, Input]) -> str:
    """Where the output of ``stage`` on ``inputs`` lives."""
    return digest(text_of(stage, inputs))
