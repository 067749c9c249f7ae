"""From a sweep file to a `Sweep`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from orchestrator.errors import Problem, SpecError
from orchestrator.spec.document import DECIDING, read_document
from orchestrator.spec.grammar import Grammar
from orchestrator.spec.source import read_file, read_value
from orchestrator.spec.sweep import Sweep, Table

STAGES = "workloads.stages"


def load(path: str | Path, *, package: str = STAGES, set_: Sequence[str] = (), yes: bool = False) -> Sweep:
    """The sweep in a file, with ``set_`` (``axes.seed=[0,1]``) applied; stages are found in ``package``.

    Raises:
        InputError: there is no such file.
        SpecError: every problem of the settings, or else of the file, at once.
    """
    path = Path(path)
    data = read_file(path)
    if wrong := [problem for setting in set_ for problem in _apply(data, setting)]:
        raise SpecError(wrong)
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


def _apply(data: Any, setting: str) -> Iterator[Problem]:
    """Set one dotted key of the file's data, or say why it cannot be set."""
    keys, equals, value = setting.partition("=")
    if not equals or not keys:
        yield Problem(f"--set {setting}", "must be key=value, such as axes.seed=[0,1]")
        return
    *parents, last = keys.strip().split(".")
    place = data
    for key in parents:
        place = place.get(key) if isinstance(place, dict) else None
        if not isinstance(place, dict | list):
            yield Problem(f"--set {setting}", f"the file has no mapping {key!r} there")
            return
    if not isinstance(place, dict):
        yield Problem(f"--set {setting}", "the file has no mapping there")
        return
    try:
        place[last] = read_value(value, f"--set {keys}")
    except SpecError as error:
        yield from error.problems


__all__ = ["STAGES", "Sweep", "Table", "load"]
