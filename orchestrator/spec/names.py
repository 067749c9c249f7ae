"""The names that a sweep file mentions outside its nodes: of stages, nodes and keys of tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from orchestrator import build
from orchestrator.errors import Problem, unknown
from orchestrator.spec.document import Document, TableDocument
from orchestrator.spec.sweep import METHOD, MODEL


def misnamed(document: Document, package: str, broken: Collection[str]) -> Iterator[Problem]:
    """Every name in defaults, resources, timeout, overrides and tables that nothing has.

    Nothing is said about nodes in ``broken``: they stand in the file and could not be read.
    """
    stages = build.names(package)
    for section in ("defaults", "resources", "timeout"):
        for name in getattr(document, section):
            if name not in stages:
                yield Problem(f"{section}.{name}", unknown("stage", name, stages))
    nodes = {name for scope in _scopes(document) for name in scope} | set(broken)
    pairs = {
        f"{method}.{node}" for method, scope in document.methods.items() for node in _names(scope, document)
    }
    for i, override in enumerate(document.overrides):
        for name in override.resources:
            if name not in stages and name not in nodes and name not in pairs:
                known = {*stages, *nodes, *pairs}
                yield Problem(f"overrides[{i}].resources.{name}", unknown("stage or node", name, known))
    for i, table in enumerate(document.tables):
        yield from _table(table, document, f"tables[{i}]")


def _scopes(document: Document) -> Iterator[Mapping[str, Any]]:
    yield from (scope for scope in (*document.methods.values(), document.evaluate) if isinstance(scope, dict))


def _names(scope: Any, document: Document) -> set[str]:
    return {*(scope if isinstance(scope, dict) else ()), *document.evaluate}


def _table(table: TableDocument, document: Document, where: str) -> Iterator[Problem]:
    node, dot, metric = table.value.partition(".")
    nodes = (MODEL, *document.evaluate)
    if not dot or not metric:
        what = f"must be node.metric, such as clean.accuracy, got {table.value!r}"
        yield Problem(f"{where}.value", what)
    elif node not in nodes:
        yield Problem(f"{where}.value", unknown("node", node, nodes))
        return
    known = {*document.axes, METHOD, *(f"{node}.{key}" for key in _each(node, document.evaluate))}
    for place in ("rows", "columns", "average", "over", "where"):
        for key in getattr(table, place):
            # `over` is seed where nothing is said, and a sweep need not have it
            if key not in known and not (place == "over" and key == "seed"):
                yield Problem(f"{where}.{place}", unknown("key", key, known))


def _each(node: str, evaluate: Mapping[str, Any]) -> set[str]:
    """The keys of `each` in all alternatives of a node, and of the nodes whose work it may be."""
    keys: set[str] = set()
    waiting, asked = [node], {node}
    while waiting:
        given = evaluate.get(waiting.pop())
        for alternative in given if isinstance(given, list) else [given]:
            if isinstance(alternative, dict):
                each, use = alternative.get("each"), alternative.get("use")
                keys.update(each if isinstance(each, dict) else ())
                if isinstance(use, str) and use not in asked:
                    asked.add(use)
                    waiting.append(use)
    return keys
