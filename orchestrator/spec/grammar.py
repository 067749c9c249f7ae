"""From the document to the sweep: conditions, nodes with their alternatives, references."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.errors import Problem, SpecError, unknown
from orchestrator.spec.document import Document
from orchestrator.spec.names import misnamed
from orchestrator.spec.source import read_text
from orchestrator.spec.sweep import (
    METHOD,
    MODEL,
    Alternative,
    Axis,
    Nodes,
    Override,
    Reference,
    Retries,
    Sweep,
)
from orchestrator.spec.values import Condition, as_list, key_of, mentioned, plain
from orchestrator.storage.base import StoreConfig

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
REFERENCE = re.compile(
    r"(?:(?P<method>[A-Za-z][\w-]*)\.)?(?P<node>[A-Za-z][\w-]*)(?:@(?P<pins>\{.*\}))?(?:/(?P<part>[\w-]+))?"
)
EVALUATE = "evaluate"
#: The keys of a node that are not fields of its stage.
NODE_KEYS = frozenset({"stage", "reads", "each", "when", "use"})
SEARCH_KEYS = frozenset({"try", "at"})


class Grammar:
    """Reads one document; what is wrong is noted, and left out, so that the rest is read too."""

    def __init__(self, document: Document, path: Path, package: str, unread: Collection[str] = ()) -> None:
        self.document = document
        self.unread = unread
        """Sections that could not be read, so that names of theirs are unknown."""
        self.path = path
        self.package = package
        self.problems: list[Problem] = []
        self.broken: set[str] = set()
        self.broken_axes: set[str] = set()

    def note(self, where: str, what: str) -> None:
        """Remember a problem."""
        self.problems.append(Problem(where, what))

    def sweep(self, large: bool) -> Sweep:
        """The sweep, of everything that could be read."""
        document = self.document
        axes = self.axes()
        methods = {name: self.method(nodes, f"methods.{name}") for name, nodes in document.methods.items()}
        evaluate = self.nodes(document.evaluate, "evaluate")
        for method, nodes in methods.items():
            self.check_method(method, nodes, evaluate)
        if not methods:
            self.note("methods", "must name at least one method")
        if EVALUATE not in self.unread:
            self.problems += misnamed(document, self.package, self.broken)
        return Sweep(
            path=self.path,
            name=document.name,
            package=self.package,
            axes=axes,
            methods=methods,
            evaluate=evaluate,
            exclude=tuple(self.excluded()),
            include=tuple(self.included(raw, f"include[{i}]") for i, raw in enumerate(document.include)),
            defaults={
                stage: self.fields(raw, f"defaults.{stage}") for stage, raw in document.defaults.items()
            },
            overrides=self.overrides(methods, evaluate),
            resources={name: raw.model_dump(exclude_none=True) for name, raw in document.resources.items()},
            timeout=document.timeout,
            retries=Retries(document.retries.system, document.retries.error),
            keep=document.keep,
            store=self.store(),
            tables=tuple(table.entry() for table in document.tables),
            broken=frozenset(self.broken),
            broken_axes=frozenset(self.broken_axes),
            large=large,
        )

    def store(self) -> StoreConfig | None:
        """Where the file wants its results, if it says so."""
        given = self.document.store
        return StoreConfig(**given.model_dump()) if given else None

    def axes(self) -> tuple[Axis, ...]:
        """The axes in file order; ``method`` is all methods where it is left out."""
        found = [self.axis(name, raw) for name, raw in self.document.axes.items()]
        if METHOD not in self.document.axes:
            found.append(Axis(METHOD, tuple(self.document.methods), None, f"axes.{METHOD}"))
        for axis in found:
            for value in axis.values if axis.name == METHOD else ():
                if str(value) not in self.document.methods:
                    self.note(axis.where, unknown(METHOD, value, self.document.methods))
            for other in axis.only.axes if axis.only else ():
                if other == axis.name:
                    self.note(
                        f"{axis.where}.only", f"the axis {other!r} cannot decide where it exists itself"
                    )
        return tuple(found)

    def axis(self, name: str, raw: Any) -> Axis:
        """One axis: a list of values, or values with the condition under which it exists."""
        where = f"axes.{name}"
        if not NAME.fullmatch(name):
            self.note(where, "an axis is named with letters, digits, _ and -, beginning with a letter")
        found = {"values": raw} if isinstance(raw, list) else raw
        if not isinstance(found, dict) or not isinstance(found.get("values"), list):
            self.note(where, f"must be a list of values, or {{values: [...], only: {{...}}}}, got {raw!r}")
            found = {}
        for key in sorted(found.keys() - {"values", "only"}):
            self.note(f"{where}.{key}", unknown("key of an axis", key, ("values", "only")))
        only = self.mapping(found, "only", where)
        if name == METHOD and only:
            self.note(where, "the axis `method` exists everywhere; it takes no `only`")
        values = found.get("values", ())
        if found and not values:
            self.note(where, "an axis needs at least one value")
        seen: dict[Any, Any] = {}
        for value in self.plain(values, where) or ():
            if (first := seen.setdefault(key_of(value), value)) is not value:
                self.note(where, f"the values {first!r} and {value!r} are equal; list a value once")
        if not seen:
            self.broken_axes.add(name)
        condition = self.condition(only, f"{where}.only") if only else None
        return Axis(name, tuple(seen.values()) or (None,), condition, where)

    def plain(self, values: Sequence[Any], where: str) -> tuple[Any, ...]:
        """Values that must not speak of axes, with ``$$`` as the dollar it stands for."""
        for value in values:
            for name in mentioned(value):
                self.note(where, f"must be plain values, got ${name}; write $$ for a dollar")
        return tuple(plain(value) for value in values if not any(mentioned(value)))

    def condition(self, raw: Mapping[str, Any], where: str) -> Condition:
        """A mapping axis -> value or list of values."""
        known = {*self.document.axes, METHOD}
        for axis in raw:
            if axis not in known:
                self.note(f"{where}.{axis}", unknown("axis", axis, known))
        known -= self.broken_axes
        return Condition(
            tuple((axis, self.plain(as_list(raw[axis]), f"{where}.{axis}")) for axis in raw if axis in known),
            where,
        )

    def excluded(self) -> Iterator[Condition]:
        """The conditions of ``exclude`` that could be read: half of one would exclude too much."""
        for i, raw in enumerate(self.document.exclude):
            before = len(self.problems)
            condition = self.condition(raw, f"exclude[{i}]")
            if not raw:
                self.note(condition.where, "names no axis, and so excludes everything")
            if len(self.problems) == before and len(condition.wanted) == len(raw):
                yield condition

    def included(self, raw: Mapping[str, Any], where: str) -> dict[str, tuple[Any, ...]]:
        """The values an include gives, by axis; unlisted ones are welcome."""
        known = {*self.document.axes, METHOD}
        for axis in raw:
            if axis not in known:
                self.note(f"{where}.{axis}", unknown("axis", axis, known))
        for method in as_list(raw.get(METHOD, ())):
            if str(method) not in self.document.methods:
                self.note(f"{where}.{METHOD}", unknown(METHOD, method, self.document.methods))
        for axis, value in raw.items():
            if not as_list(value):
                self.note(f"{where}.{axis}", "needs at least one value")
        return {
            axis: found
            for axis, value in raw.items()
            if axis in known and (found := self.plain(as_list(value), f"{where}.{axis}"))
        }

    def method(self, raw: Any, where: str) -> dict[str, tuple[Alternative, ...]]:
        """The nodes of a method."""
        if isinstance(raw, dict):
            return self.nodes(raw, where)
        self.note(where, f"must be a mapping from nodes to what they are, got {raw!r}")
        self.broken.add(MODEL)
        return {}

    def nodes(self, raw: Mapping[str, Any], where: str) -> dict[str, tuple[Alternative, ...]]:
        """The nodes of a method or of ``evaluate``."""
        found: dict[str, tuple[Alternative, ...]] = {}
        for name, node in raw.items():
            place = f"{where}.{name}"
            before = len(self.problems)
            if not NAME.fullmatch(name):
                self.note(place, "a node is named with letters, digits, _ and -, beginning with a letter")
            listed = isinstance(node, list)
            if listed and not node:
                self.note(place, "a list of alternatives needs at least one")
            items = {f"{place}[{i}]": item for i, item in enumerate(node)} if listed else {place: node}
            for there, item in items.items():
                if not isinstance(item, dict):
                    self.note(there, f"a node is a mapping, or a list of mappings, got {item!r}")
            alternatives = tuple(
                self.alternative(item, there) for there, item in items.items() if isinstance(item, dict)
            )
            for early in alternatives[:-1]:
                if early.when is None:
                    self.note(early.where, "has no `when`, so the alternatives after it can never be chosen")
            if len(self.problems) > before:
                self.broken.add(name)
            else:
                found[name] = alternatives
        return found

    def alternative(self, raw: Mapping[str, Any], where: str) -> Alternative:
        """One way to be a node."""
        when = self.mapping(raw, "when", where)
        condition = None if when is None else self.condition(when, f"{where}.when")
        if "use" in raw:
            for key in sorted(raw.keys() - {"use", "when"}):
                self.note(
                    f"{where}.{key}", "beside `use` only `when` may stand: the node is another node's work"
                )
            if not isinstance(raw["use"], str):
                self.note(f"{where}.use", f"must be the name of a node, got {raw['use']!r}")
            return Alternative(where, condition, use=str(raw["use"]))
        stage = raw.get("stage")
        if not isinstance(stage, str):
            self.note(where, "a node needs a `stage` (or `use`: another node)")
            stage = ""
        keys = NODE_KEYS | (SEARCH_KEYS if stage == "search" else frozenset())
        fields = {key: value for key, value in raw.items() if key not in keys}
        reads = self.mapping(raw, "reads", where) or {}
        return Alternative(
            where,
            condition,
            stage=stage,
            fields=fields,
            reads={role: self.references(given, f"{where}.reads.{role}") for role, given in reads.items()},
            lists=frozenset(role for role, given in reads.items() if isinstance(given, list)),
            each=self.each(raw, where),
            tries=self.tried(raw, where) if stage == "search" else None,
        )

    def each(self, raw: Mapping[str, Any], where: str) -> Mapping[str, tuple[Any, ...]]:
        """The axes local to a node."""
        found = self.mapping(raw, "each", where) or {}
        for key, values in found.items():
            if not isinstance(values, list) or not values:
                self.note(f"{where}.each.{key}", f"must be a list of values, got {values!r}")
        return {key: as_list(values) for key, values in found.items()}

    def tried(self, raw: Mapping[str, Any], where: str) -> Reference | None:
        """What a search tries, as a reference moved by ``at``."""
        if not isinstance(raw.get("try"), str):
            self.note(f"{where}.try", "a search names the node it tries")
            return None
        at = self.mapping(raw, "at", where) or {}
        return Reference(raw["try"], pins=tuple(at.items()), where=f"{where}.try")

    def mapping(self, raw: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any] | None:
        """The mapping under ``key``, or None."""
        value = raw.get(key)
        if value is None or isinstance(value, dict):
            return value
        self.note(f"{where}.{key}", f"must be a mapping, got {value!r}")
        return None

    def fields(self, raw: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """Fields, less the keys that mean something else where a node stands."""
        for key in sorted(raw.keys() & NODE_KEYS):
            self.note(f"{where}.{key}", f"defaults hold fields; `{key}` belongs to a node")
        return {key: value for key, value in raw.items() if key not in NODE_KEYS}

    def references(self, given: Any, where: str) -> tuple[Reference, ...]:
        """A reference, or a list of them."""
        items = given if isinstance(given, list) else [given]
        if not items:
            self.note(where, "names nothing to read")
        found = [self.reference(item, where) for item in items]
        return tuple(item for item in found if item)

    def reference(self, given: Any, where: str) -> Reference | None:
        """``[method.]node[@{axis: value}][/part]``, or the same as a mapping."""
        if isinstance(given, dict) and isinstance(given.get("node"), str):
            for key in sorted(given.keys() - {"node", "at", "part"}):
                self.note(f"{where}.{key}", unknown("key of a reference", key, ("node", "at", "part")))
            method, _, node = given["node"].rpartition(".")
            pins = self.mapping(given, "at", where) or {}
            part = given.get("part")
            return Reference(
                node, method or None, tuple(pins.items()), part if part is None else str(part), where
            )
        match = REFERENCE.fullmatch(given.strip()) if isinstance(given, str) else None
        if not match:
            self.note(
                where,
                f"must be a reference: node, method.node, node@{{axis: value}} or node/part, got {given!r}",
            )
            return None
        pins = {}
        if match["pins"]:
            try:
                pins = read_text(match["pins"], where)
            except SpecError as error:
                self.problems.extend(error.problems)
        return Reference(match["node"], match["method"], tuple(pins.items()), match["part"], where)

    def check_method(self, method: str, nodes: Nodes, evaluate: Nodes) -> None:
        """The names of a method: it has a model, and shares none with evaluate."""
        where = f"methods.{method}"
        if not NAME.fullmatch(method):
            self.note(where, "a method is named with letters, digits, _ and -, beginning with a letter")
        written = self.document.methods[method]
        if isinstance(written, dict) and MODEL not in written:
            self.note(where, f"a method needs a node `{MODEL}`, the network that gets evaluated")
        for name in sorted(nodes.keys() & evaluate.keys()):
            self.note(
                f"{where}.{name}", "a node of this name stands under evaluate; name one of them otherwise"
            )

    def overrides(self, methods: Mapping[str, Nodes], evaluate: Nodes) -> tuple[Override, ...]:
        """The overrides in file order."""
        known = {*evaluate, *(name for nodes in methods.values() for name in nodes)}
        known |= {f"{method}.{name}" for method, nodes in methods.items() for name in (*nodes, *evaluate)}
        found = []
        forbidden = NODE_KEYS | SEARCH_KEYS
        for index, raw in enumerate(self.document.overrides):
            where = f"overrides[{index}]"
            when = None if raw.when is None else self.condition(raw.when, f"{where}.when")
            if not raw.set and not raw.resources:
                self.note(where, "an override needs `set` or `resources`")
            for name, fields in raw.set.items():
                broken = EVALUATE in self.unread or name.rpartition(".")[2] in self.broken
                if name not in known and not broken:
                    self.note(f"{where}.set.{name}", unknown("node", name, known))
                for key in sorted(fields.keys() & forbidden):
                    self.note(
                        f"{where}.set.{name}.{key}", f"an override sets fields; it cannot change `{key}`"
                    )
            resources = {name: given.model_dump(exclude_none=True) for name, given in raw.resources.items()}
            allowed = {
                name: {key: value for key, value in fields.items() if key not in forbidden}
                for name, fields in raw.set.items()
            }
            found.append(Override(when, allowed, resources, where))
        return tuple(found)
