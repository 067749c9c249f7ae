"""Safe YAML with the numbers and booleans of YAML 1.2: ``1e-3`` is a number and ``no`` is text."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from orchestrator.errors import InputError, Problem, SpecError

DEEPEST = 60
#: Nodes after every alias is written out; a file beyond this is an accident or an attack.
LARGEST = 2_000_000
#: Digits of a whole number; Python itself reads no more than 4,300.
LONGEST = 300

_CORE = {
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", "~nN\0"),
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "tag:yaml.org,2002:int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "tag:yaml.org,2002:float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
}
_FITS = {tag: re.compile(rf"^(?:{pattern})$") for tag, (pattern, _) in _CORE.items()}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, less YAML 1.1's readings, duplicate keys, merge keys and tags."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.problems: list[tuple[int, int, str]] = []

    def note(self, node: yaml.Node, what: str) -> None:
        self.problems.append((node.start_mark.line + 1, node.start_mark.column + 1, what))

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if key.value == "<<":
                self.note(key, "merge keys (<<) are not read; write the keys out or use `defaults`")
            elif key.tag != "tag:yaml.org,2002:str":
                self.note(key, f"a key must be text, got {key.value!r}; put it in quotes")
            elif key.value in lines:
                self.note(
                    key, f"the key {key.value!r} stands here a second time (first on line {lines[key.value]})"
                )
            lines[str(key.value)] = key.start_mark.line + 1
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        fits = _FITS.get(node.tag)
        if fits and isinstance(node, yaml.ScalarNode) and not fits.match(node.value):
            self.note(node, f"{node.value!r} is no {node.tag.rpartition(':')[2]}, as its tag says")
            return "0"
        return super().construct_scalar(node)

    def construct_int(self, node: yaml.ScalarNode) -> int:
        text = self.construct_scalar(node)
        if len(text) > LONGEST:
            self.note(node, f"a number has at most {LONGEST} digits, got {len(text)}")
            return 0
        based = text.lstrip("+-")[:2] in ("0o", "0x")
        return int(text, 0) if based else int(text)

    def construct_truth(self, node: yaml.ScalarNode) -> bool:
        return bool(self.construct_scalar(node).lower() == "true")

    def construct_number(self, node: yaml.ScalarNode) -> float:
        text = self.construct_scalar(node)
        value = math.nan if "n" in text.lower() else float(text)
        if not math.isfinite(value):
            self.note(node, f"a number must be finite, got {node.value}")
        return value

    def refuse_tag(self, node: yaml.Node) -> None:
        self.note(node, f"the tag {node.tag} is not read; a sweep file is plain data")


for _tag, (_pattern, _first) in _CORE.items():
    _Loader.add_implicit_resolver(
        _tag,
        _FITS[_tag],
        list(_first.replace("\0", "")) + ([""] if "\0" in _first else []),
    )
_Loader.yaml_constructors = {
    "tag:yaml.org,2002:null": _Loader.construct_yaml_null,
    "tag:yaml.org,2002:bool": _Loader.construct_truth,
    "tag:yaml.org,2002:int": _Loader.construct_int,
    "tag:yaml.org,2002:float": _Loader.construct_number,
    "tag:yaml.org,2002:str": _Loader.construct_yaml_str,
    "tag:yaml.org,2002:seq": _Loader.construct_yaml_seq,
    "tag:yaml.org,2002:map": _Loader.construct_yaml_map,
    None: _Loader.refuse_tag,
}


def read_file(path: Path) -> Any:
    """The data of a YAML file.

    Raises:
        InputError: there is no such file or it cannot be read.
        SpecError: it is not plain, safe YAML; says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; give the sweep file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from None
    return read_text(text, str(path))


def read_text(text: str, where: str) -> Any:
    """The data of a YAML text; ``where`` names it in errors.

    Raises:
        SpecError: as `read_file`.
    """
    try:
        _measure(text, where)
        loader = _Loader(text)
        found = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}: line {mark.line + 1}, column {mark.column + 1}" if mark else where
        line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
        hint = ' (a reference with @{...} must be in quotes: "model@{round: -1}")' if "@{" in line else ""
        raise SpecError([Problem(place, f"{error.problem or error}{hint}")]) from None
    except yaml.YAMLError as error:
        raise SpecError([Problem(where, f"not YAML: {' '.join(str(error).split())}")]) from None
    if loader.problems:
        places = [(f"{where}: line {line}, column {column}", what) for line, column, what in loader.problems]
        raise SpecError(Problem(*place) for place in places)
    return found


def read_value(text: str, where: str) -> Any:
    """A value as the command line gives it (``0.9``, ``[0, 1]``, ``rigl``)."""
    return read_text(text, where)


def _measure(text: str, where: str) -> None:
    """Refuse deep nesting, exploding aliases and recursion before anything is built."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []  # anchor of each open collection, values before it
    total = 0
    for event in yaml.parse(text, Loader=_Loader):
        place = f"{where}: line {event.start_mark.line + 1}" if event.start_mark else where
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise SpecError([Problem(place, f"*{event.anchor} stands for nothing before it")])
            total += sizes[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            if isinstance(event, yaml.CollectionStartEvent):
                opened.append((event.anchor, total))
            elif event.anchor:
                sizes[event.anchor] = 1
            total += 1
        if len(opened) > DEEPEST:
            raise SpecError([Problem(place, f"nested deeper than {DEEPEST} levels")])
        if total > LARGEST:
            raise SpecError(
                [Problem(where, f"more than {LARGEST:,} values once its aliases are written out")]
            )
