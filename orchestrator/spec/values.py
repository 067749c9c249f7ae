"""Values of axes and the conditions on them: when two are equal, how they are shown, what matches what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.build import number_of
from orchestrator.identity import to_json

#: What makes two values equal: 1 and 1.0 and 2/2 are, true and 1 are not, `x` and `{name: x}` are.
Key = tuple[Any, ...]


def key_of(value: Any) -> Key:
    """The key that two values share exactly if they are equal."""
    if isinstance(value, Mapping) and set(value) == {"name"}:
        value = value["name"]
    if isinstance(value, bool):
        return ("truth", value)
    if (number := number_of(value)) is not None:
        return ("number", float(number))
    if isinstance(value, str):
        return ("text", value)
    if isinstance(value, Mapping):
        return ("mapping", tuple(sorted((name, key_of(item)) for name, item in value.items())))
    if isinstance(value, list | tuple):
        return ("list", tuple(map(key_of, value)))
    return ("nothing",)


def order_of(value: Any) -> tuple[str, Any]:
    """What values are sorted by: numbers by size, then text, then the rest by their JSON."""
    key = key_of(value)
    if key[0] in ("number", "text", "truth"):
        return key[0], key[1]
    try:
        return key[0], to_json(value)
    except TypeError:  # it stands for an axis that is not there, which is refused with all other mistakes
        return key[0], repr(value)


def shown(value: Any) -> Any:
    """A value as people read it: scalars as written, a mapping as its name plus the given fields."""
    if isinstance(value, Mapping):
        fields = ", ".join(f"{key}={shown(item)}" for key, item in value.items() if key != "name")
        name = value.get("name", "")
        return f"{name}({fields})" if fields else name
    if isinstance(value, list | tuple):
        return f"[{', '.join(str(shown(item)) for item in value)}]"
    return "none" if value is None else value


def matches(value: Any, wanted: Any) -> bool:
    """Whether a value is the wanted one; a mapping matches by its name, or by every key that is wanted."""
    if key_of(value) == key_of(wanted):
        return True
    if not isinstance(value, Mapping):
        return False
    if isinstance(wanted, Mapping):
        return all(key in value and matches(value[key], item) for key, item in wanted.items())
    return isinstance(wanted, str) and value.get("name") == wanted


@dataclass(frozen=True)
class Condition:
    """A mapping from axis to the values it may take; all must hold, and an absent axis does not match."""

    wanted: tuple[tuple[str, tuple[Any, ...]], ...]
    where: str
    """Its place in the sweep file, for the error if it can never hold."""

    @property
    def axes(self) -> Iterable[str]:
        """The axes it looks at."""
        return [axis for axis, _ in self.wanted]

    def without(self, axis: str) -> Condition:
        """The condition less what it says about ``axis``."""
        return Condition(tuple(pair for pair in self.wanted if pair[0] != axis), self.where)

    def holds(self, point: Mapping[str, Any]) -> bool:
        """Whether it holds at ``point``, which lacks the axes that do not exist there."""
        return all(
            axis in point and any(matches(point[axis], value) for value in values)
            for axis, values in self.wanted
        )


def mentioned(value: Any) -> Iterator[str]:
    """The names behind every whole-scalar ``$name`` inside ``value``."""
    if isinstance(value, str):
        if value.startswith("$") and not value.startswith("$$"):
            yield value[1:]
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from mentioned(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from mentioned(item)


def plain(value: Any) -> Any:
    """``value`` with every ``$$`` at the beginning of a text as the dollar it stands for."""
    if isinstance(value, str):
        return value[1:] if value.startswith("$$") else value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def as_list(value: Any) -> tuple[Any, ...]:
    """A value or a list of values as a tuple of values."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)
