"""From data to frozen objects, found by name.

The base class of a kind stands in ``<package>/base.py``; its implementations are the sibling files, one
concrete class each, found by file name. The name is checked against the folder before anything is imported,
so a sweep file can make nothing outside the known packages run. A field whose type is such a base class is a
nested component.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import types
from collections.abc import Mapping
from functools import cache
from importlib import import_module, util
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from orchestrator.errors import Problem, SpecError, unknown
from orchestrator.identity import default_of, fields_of, name_of

T = TypeVar("T")
NAME = re.compile(r"[a-z][a-z0-9_]*")
FRACTION = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)")
RESERVED = ("name", "version")


def is_component(kind: Any) -> bool:
    """Whether ``kind`` is the base class of a package of components."""
    return inspect.isclass(kind) and dataclasses.is_dataclass(kind) and kind.__module__.endswith(".base")


def one(kind: str) -> str:
    """``kind`` with its article."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def package_of(base: type | str) -> str:
    """The package whose files implement ``base``; a text is that package already."""
    return base if isinstance(base, str) else base.__module__.rpartition(".")[0]


def kind_of(base: type | str) -> str:
    """What to call one of them in a sentence: the class's name, or the package's in the singular."""
    return (
        package_of(base).rpartition(".")[2].rstrip("s") if isinstance(base, str) else base.__name__
    ).lower()


@cache
def names(base: Any) -> tuple[str, ...]:
    """The names that can be found: the files beside the base class, sorted."""
    found = util.find_spec(package_of(base))
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"no package {package_of(base)!r}")
    files = (file for folder in found.submodule_search_locations for file in Path(folder).glob("*.py"))
    return tuple(sorted({file.stem for file in files if NAME.fullmatch(file.stem) and file.stem != "base"}))


@cache
def find(base: Any, name: str) -> type[Any]:
    """The class in the file ``name`` of the package of ``base``.

    Raises:
        SpecError: there is no such file; names the nearest and all.
        TypeError: the file holds no concrete class, or several.
    """
    if name not in names(base):
        raise SpecError([Problem("", unknown(kind_of(base), name, names(base)))])
    module = import_module(f"{package_of(base)}.{name}")
    found = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and kind.__module__ == module.__name__
        and dataclasses.is_dataclass(kind)
        and not kind.__name__.startswith("_")
        and not inspect.isabstract(kind)
        and (isinstance(base, str) or issubclass(kind, base))
    ]
    if len(found) != 1:
        raise TypeError(
            f"{module.__name__}: a file holds exactly one concrete {kind_of(base)}, found {len(found)}"
        )
    return found[0]


def build(base: type[T] | str, data: Any, where: str = "") -> T:
    """The frozen object that ``data`` (a name, or a mapping with ``name`` and fields) describes.

    Raises:
        SpecError: every problem of ``data`` at once, each with its place below ``where``.
    """
    problems: list[Problem] = []
    built = _component(base, data, where, problems)
    if problems:
        raise SpecError(problems)
    return built  # type: ignore[no-any-return]


def build_class(kind: type[T], fields: Mapping[str, Any], where: str = "") -> T:
    """As `build`, for a class that is known already.

    Raises:
        SpecError: every problem of ``fields`` at once.
    """
    problems: list[Problem] = []
    built = _instance(kind, fields, where, problems)
    if problems:
        raise SpecError(problems)
    return built  # type: ignore[no-any-return]


def data_of(value: Any) -> Any:
    """A value as the data that builds it: a component as a mapping with its ``name`` and fields."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = any(is_component(kind) for kind in type(value).__mro__)
        return ({"name": name_of(value)} if named else {}) | {
            field.name: data_of(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, list | tuple):
        return [data_of(item) for item in value]
    if isinstance(value, Mapping):
        return {key: data_of(item) for key, item in value.items()}
    return value


def merge(under: Any, over: Any) -> Any:
    """Two layers of a field: a mapping without a name, or with the same one, merges; else ``over``."""
    if isinstance(under, str) and isinstance(over, Mapping) and "name" not in over:
        under = {"name": under}
    if isinstance(under, Mapping) and isinstance(over, str) and under.get("name") == over:
        return under
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return over
    if "name" in over and over["name"] != under.get("name"):
        return over
    return {**under, **{key: merge(under.get(key), value) for key, value in over.items()}}


@cache
def field_types(kind: type) -> Mapping[str, Any]:
    """The fields of a dataclass with their resolved types."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _component(base: type | str, data: Any, where: str, problems: list[Problem]) -> Any:
    if isinstance(data, str):
        data = {"name": data}
    if not isinstance(data, Mapping):
        problems.append(
            Problem(where, f"{one(kind_of(base))} is a name or a mapping with a name, got {data!r}")
        )
        return None
    if not isinstance(data.get("name"), str):
        known = ", ".join(names(base))
        problems.append(Problem(where, f"{one(kind_of(base))} needs a name. Known: {known}"))
        return None
    try:
        kind = find(base, data["name"])
    except SpecError as error:
        problems.append(Problem(where, str(error)))
        return None
    return _instance(kind, {key: value for key, value in data.items() if key != "name"}, where, problems)


def _instance(kind: type, data: Mapping[str, Any], where: str, problems: list[Problem]) -> Any:
    before = len(problems)
    types_by_name = field_types(kind)
    values: dict[str, Any] = {}
    for key in sorted(data.keys() - types_by_name.keys(), key=str):
        problems.append(
            Problem(_join(where, str(key)), unknown(f"field of {name_of(kind)}", key, types_by_name))
        )
    for field in dataclasses.fields(kind):
        place = _join(where, field.name)
        default = default_of(field)
        if field.name in data:
            given = data[field.name]
            if dataclasses.is_dataclass(default) and isinstance(given, str | Mapping):
                given = merge(data_of(default), given)
            values[field.name] = _cast(types_by_name[field.name], given, place, problems)
        elif default is dataclasses.MISSING:
            problems.append(
                Problem(place, f"{name_of(kind)} needs this field ({_say(types_by_name[field.name])})")
            )
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:
        problems.append(Problem(where, str(error)))
        return None


def _cast(kind: Any, value: Any, where: str, problems: list[Problem]) -> Any:  # noqa: C901, PLR0911, PLR0912 - one branch per form a field can take
    """``value`` as the declared type; a problem is noted and None returned where it cannot be."""
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _union(get_args(kind), value, where, problems)
    if is_component(kind):
        return value if isinstance(value, kind) else _component(kind, value, where, problems)
    if origin is Literal:
        for choice in get_args(kind):
            if choice == value and type(choice) is type(value):
                return choice
    elif origin is tuple and isinstance(value, list | tuple):
        return _tuple(get_args(kind), value, where, problems)
    elif origin in (Mapping, dict) and isinstance(value, Mapping):
        inner = get_args(kind)[1]
        return {str(key): _cast(inner, item, _join(where, str(key)), problems) for key, item in value.items()}
    elif kind is None or kind is type(None):
        if value is None:
            return None
    elif kind is bool:
        if isinstance(value, bool):
            return value
    elif kind is int:
        if isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer():
            return int(value)
    elif kind is float:
        number = number_of(value)
        if number is not None and math.isfinite(number):
            return float(number) + 0.0
    elif kind is str:
        if isinstance(value, str):
            return value
    elif inspect.isclass(kind) and dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return _instance(kind, value, where, problems)
    problems.append(Problem(where, f"must be {_say(kind)}, got {value!r}"))
    return None


def _union(kinds: tuple[Any, ...], value: Any, where: str, problems: list[Problem]) -> Any:
    """The first member that takes ``value`` as it is; if none does, the first component's problems."""
    failed: list[Problem] = []
    exact = [kind for kind in kinds if inspect.isclass(kind) and type(value) is kind]
    for kind in dict.fromkeys([*exact, *kinds]):
        tried: list[Problem] = []
        cast = _cast(kind, value, where, tried)
        if not tried:
            return cast
        if not failed and is_component(kind) and isinstance(value, str | Mapping):
            failed = tried
    choices = " or ".join(_say(kind) for kind in kinds)
    problems.extend(failed or [Problem(where, f"must be {choices}, got {value!r}")])
    return None


def _tuple(kinds: tuple[Any, ...], value: Any, where: str, problems: list[Problem]) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:  # noqa: PLR2004 - tuple[X, ...]
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        problems.append(Problem(where, f"must have {len(kinds)} items, got {len(value)}"))
        return ()
    pairs = zip(kinds, value, strict=True)
    return tuple(_cast(kind, item, f"{where}[{i}]", problems) for i, (kind, item) in enumerate(pairs))


def number_of(value: Any) -> float | int | None:
    """``value`` as a number (``8/255`` is one, True is not), or None."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (match := FRACTION.fullmatch(value.strip())) and float(match[2]):
        return float(match[1]) / float(match[2])
    return None


def _say(kind: Any) -> str:
    """A type in words."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(repr, get_args(kind)))
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(map(_say, get_args(kind)))
    if get_origin(kind) is tuple:
        return "a list"
    if get_origin(kind) in (Mapping, dict):
        return "a mapping"
    words = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text",
        type(None): "nothing",
    }
    return words.get(kind) or (one(kind_of(kind)) if inspect.isclass(kind) else str(kind))


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


__all__ = [
    "build",
    "build_class",
    "data_of",
    "field_types",
    "fields_of",
    "find",
    "is_component",
    "merge",
    "names",
    "number_of",
    "package_of",
]
