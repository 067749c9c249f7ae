"""From a sweep file to a `Sweep`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.errors import InputError, Problem, SpecError
from orchestrator.spec.document import DECIDING, read_document
from orchestrator.spec.grammar import Grammar
from orchestrator.spec.source import read_file, read_value
from orchestrator.spec.sweep import Sweep, Table

STAGES = "workloads.stages"


def load(path: str | Path, *, package: str = STAGES, set_: Sequence[str] = (), yes: bool = False) -> Sweep:
    """The sweep in a file, with ``set_`` (``axes.seed=[0,1]``) applied; stages are found in ``package``.

    Raises:
        InputError: there is no such file.
        SpecError: every problem of the file at once.
    """
    path = Path(path)
    data = read_file(path)
    for setting in set_:
        _apply(data, setting)
    document, problems, unread = read_document(data)
    if document is None:
        raise SpecError(_placed(path, problems))
    grammar = Grammar(document, path, package, unread)
    sweep = grammar.sweep(large=yes)
    problems += grammar.problems
    if problems:
        # the rest of the file is checked too: all of its problems are said at once
        more = _planning(sweep) if not unread & DECIDING else []
        raise SpecError([*_placed(path, problems), *more])
    return sweep


def _planning(sweep: Sweep) -> Sequence[Problem]:
    """What is wrong with the plan of a sweep, less what is said about values that could not be read."""
    try:
        sweep.plan()
    except SpecError as error:
        unread = tuple(f"{sweep.path}: axes.{name}" for name in sweep.broken_axes)
        return [problem for problem in error.problems if problem.where not in unread]
    return []


def _placed(path: Path, problems: Sequence[Problem]) -> list[Problem]:
    return [
        Problem(f"{path}: {problem.where}" if problem.where else str(path), problem.what)
        for problem in problems
    ]


def _apply(data: Any, setting: str) -> None:
    """Set one dotted key of the file's data."""
    keys, equals, value = setting.partition("=")
    if not equals or not keys:
        raise InputError(f"--set {setting}: must be key=value, such as axes.seed=[0,1]")
    *parents, last = keys.strip().split(".")
    place = data
    for key in parents:
        inside = place.get(key) if isinstance(place, dict) else None
        if not isinstance(inside, dict | list):
            raise InputError(f"--set {setting}: the file has no mapping {key!r} there")
        place = inside
    if not isinstance(place, dict):
        raise InputError(f"--set {setting}: the file has no mapping there")
    place[last] = read_value(value, f"--set {keys}")


__all__ = ["STAGES", "Sweep", "Table", "load"]
