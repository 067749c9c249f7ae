"""The names that a sweep file mentions outside its nodes: of stages, nodes and keys of tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from orchestrator import build
from orchestrator.errors import Problem, unknown
from orchestrator.spec.document import Document
from orchestrator.spec.table_names import misnamed_in


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
        yield from misnamed_in(table.entry(), document, f"tables[{i}]")


def _scopes(document: Document) -> Iterator[Mapping[str, Any]]:
    yield from (scope for scope in (*document.methods.values(), document.evaluate) if isinstance(scope, dict))


def _names(scope: Any, document: Document) -> set[str]:
    return {*(scope if isinstance(scope, dict) else ()), *document.evaluate}
