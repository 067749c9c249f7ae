"""Planned stages as objects that know what they read, for rules about several stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from orchestrator.errors import Problem
from orchestrator.plan.fields import Element
from orchestrator.plan.graph import Layout
from orchestrator.plan.linker import Linker
from orchestrator.stage import Stage


class Ancestry:
    """The stages of a plan, each built when somebody looks at it, equal ones once."""

    def __init__(self, linker: Linker) -> None:
        self.linker = linker
        self._relatives: dict[int, Relative] = {}
        self._stages: dict[tuple[int, str | None], Stage] = {}
        self._with_parts: dict[int, bool] = {}

    def relative(self, stage: int) -> Relative:
        """The stage with this id."""
        found = self._relatives.get(stage)
        if found is None:
            found = self._relatives[stage] = Relative(self, stage)
        return found

    def stage(self, stage: int) -> Stage:
        """The stage itself."""
        origin = self.linker.graph.origins[stage]
        key = (id(origin.element), origin.element.text(origin.codes))
        if key not in self._stages:
            self._stages[key] = origin.element.stage(origin.codes)
        return self._stages[key]

    def disagreements(self) -> Iterator[Problem]:
        """What stages say against what they read, once per node."""
        told: set[str] = set()
        silent: dict[int, bool] = {}
        for stage, origin in enumerate(self.linker.graph.origins):
            element = origin.element
            silence = silent.setdefault(id(element), says_nothing(element))
            parts = self._parts(stage)
            if (silence and not parts) or element.alternative.where in told:
                continue
            try:
                for read, part in parts:
                    self.stage(read).check_part(part)
                if not silence:
                    self.stage(stage).check_inputs(self.relative(stage).inputs)
            except ValueError as error:
                told.add(element.alternative.where)
                said = element.scope.said(origin.codes)
                yield Problem(element.alternative.where, f"{error}{f' (at {said})' if said else ''}")

    def _parts(self, stage: int) -> list[tuple[int, str]]:
        """The stages of which it, or a stage that it tries, reads a part, each with the part."""
        graph = self.linker.graph
        reading = [(graph.inputs[stage], graph.layouts[stage])]
        if stage in graph.attempts:
            reading = [(attempt.inputs, attempt.layout) for attempt in graph.attempts[stage]]
        return [pair for inputs, layout in reading if self._named(layout) for pair in named(inputs, layout)]

    def _named(self, layout: Layout) -> bool:
        """Whether anything in it is a part; few layouts stand for many stages, so the answer is kept."""
        if id(layout) not in self._with_parts:
            self._with_parts[id(layout)] = any(part for _, _, parts in layout for part in parts)
        return self._with_parts[id(layout)]


def named(inputs: Sequence[int], layout: Layout) -> Iterator[tuple[int, str]]:
    """The inputs of which a part is read, each with the part."""
    parts = (part for _, _, parts in layout for part in parts)
    return ((read, part) for read, part in zip(inputs, parts, strict=True) if part)


def says_nothing(element: Element) -> bool:
    """Whether the stage has no rule about what it reads."""
    return element.kind.check_inputs is Stage.check_inputs


class Relative:
    """A stage of a plan: `orchestrator.stage.Planned`."""

    def __init__(self, ancestry: Ancestry, stage: int) -> None:
        self._ancestry = ancestry
        self._id = stage

    @property
    def stage(self) -> Stage:
        """Built from its fields."""
        return self._ancestry.stage(self._id)

    @cached_property
    def inputs(self) -> Mapping[str, Sequence[Relative]]:
        """What it reads, by role; nothing for a search, which reads what it tries."""
        graph = self._ancestry.linker.graph
        if self._id in graph.attempts:
            return {}
        given = iter(graph.inputs[self._id])
        return {
            role: [self._ancestry.relative(next(given)) for _ in parts]
            for role, _, parts in graph.layouts[self._id]
        }
