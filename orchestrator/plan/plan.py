"""The plan of a sweep: unique stages, what they read, and the trials that ask for them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, overload

from orchestrator.identity import Input
from orchestrator.plan.dependencies import Site
from orchestrator.plan.fields import Element
from orchestrator.plan.graph import Layout, Origin
from orchestrator.plan.job import Job, Output, Trial
from orchestrator.plan.linker import Linker
from orchestrator.plan.points import ABSENT, Rows
from orchestrator.spec.sweep import METHOD, Sweep
from orchestrator.spec.values import shown
from orchestrator.stage import Resources


class Plan:
    """The graph of unique stages; a stage's id is its position, and parents come before their children."""

    def __init__(
        self,
        sweep: Sweep,
        linker: Linker,
        trials: Trials,
        targets: list[int],
        warnings: list[str],
        *,
        partial: bool = False,
    ) -> None:
        self.sweep = sweep
        self.addresses: list[str] = linker.graph.addresses
        self.trials = trials
        self.targets = targets
        """The ids that trials ask for: their networks and evaluations."""
        self.warnings = warnings
        """What looks odd in the file and is no error."""
        self.partial = partial
        """Whether it was made of some of the sweep's trials only."""
        self._linker = linker

    def __len__(self) -> int:
        return len(self.addresses)

    def id_of(self, address: str) -> int:
        """The id of the stage at ``address``; KeyError if it is not planned."""
        return self._linker.graph.ids[address]

    def parents(self, stage: int) -> tuple[int, ...]:
        """The ids a stage reads."""
        return self._linker.graph.inputs[stage]

    @cached_property
    def _children(self) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in self.addresses]
        for stage, parents in enumerate(self._linker.graph.inputs):
            for parent in parents:
                found[parent].append(stage)
        return found

    def children(self) -> list[list[int]]:
        """The ids that read each stage."""
        return self._children

    def stage_name(self, stage: int) -> str:
        """The name of a stage (``train``)."""
        return self._linker.graph.origins[stage].element.alternative.stage

    def node(self, stage: int) -> str:
        """``method.node``, where the stage was met first."""
        return self._linker.graph.origins[stage].element.site.name

    def job(self, stage: int) -> Job:
        """Everything a worker needs to run a stage."""
        linker = self._linker
        tries = tuple(
            self._job(attempt.origin, attempt.address, attempt.inputs, attempt.layout)
            for attempt in linker.graph.attempts.get(stage, ())
        )
        inputs, layout = linker.graph.inputs[stage], linker.graph.layouts[stage]
        return replace(
            self._job(linker.graph.origins[stage], self.addresses[stage], inputs, layout, bool(tries)),
            tries=tries,
        )

    def _job(
        self, origin: Origin, address: str, flat: tuple[int, ...], layout: Layout, tried: bool = False
    ) -> Job:
        element, codes = origin.element, origin.codes
        linker, sweep = self._linker, self.sweep
        stage = element.alternative.stage
        given = iter(flat)
        inputs: dict[str, Input] = {}
        for role, many, parts in () if tried else layout:
            named = [f"{self.addresses[next(given)]}" + (f"/{part}" if part else "") for part in parts]
            inputs[role] = named if many else named[0]
        attempts = linker.graph.attempts.get(linker.graph.ids.get(address, -1), ())
        fields = element.text(codes)
        assert fields is not None  # a plan has no wrong stages
        return Job(
            address=address,
            package=sweep.package,
            stage=stage,
            fields=element.data(codes),
            text=linker.graph.text_of(fields, element, flat, layout, attempts),
            inputs=inputs,
            resources=self._resources(element, codes),
            timeout_seconds=sweep.timeout.get(stage),
            node=element.site.name,
            point=self._point(element.site, codes)
            | {key: shown(value) for key, value in element.choice.items()},
        )

    def _point(self, site: Site, codes: Sequence[int]) -> dict[str, Any]:
        axes = self.trials.axes
        pairs = zip(site.axes, codes, strict=True)
        return {axes.names[axis]: axes.shown(axis, code) for axis, code in pairs if code != ABSENT}

    def resources(self, stage: int) -> Resources:
        """What a stage asks for while it runs; much cheaper than its `job`."""
        origin = self._linker.graph.origins[stage]
        return self._resources(origin.element, origin.codes)

    def _resources(self, element: Element, codes: Sequence[int]) -> Resources:
        """Class default < the sweep's by stage < overrides by stage or node, tested at the node's point."""
        stage, site = element.alternative.stage, element.site
        given: dict[str, float] = dict(self.sweep.resources.get(stage, {}))
        raw = element.scope.codes(tuple(codes))
        for override in self.sweep.overrides:
            if override.resources and (override.when is None or self.trials.axes.holds(override.when, raw)):
                for key in (stage, site.node, site.name):
                    given.update(override.resources.get(key, {}))
        return replace(element.kind.resources, **given)

    def missing(self, done: Container[str], dropped: Container[str] = ()) -> list[int]:
        """The ids a run would execute: what a target that is not done needs, back to what is done.

        ``dropped`` are done addresses whose payload is gone: what is to run and reads one needs it again.
        """
        addresses, inputs = self.addresses, self._linker.graph.inputs
        found = {stage for stage in self.targets if addresses[stage] not in done}
        stack = list(found)
        while stack:
            for parent in inputs[stack.pop()]:
                address = addresses[parent]
                if parent not in found and (address not in done or address in dropped):
                    found.add(parent)
                    stack.append(parent)
        return sorted(found)

    def tries(self, stage: int) -> tuple[str, ...]:
        """The addresses that a search tries; they are no part of the plan."""
        return tuple(attempt.address for attempt in self._linker.graph.attempts.get(stage, ()))

    def referred(self) -> set[str]:
        """The addresses that a run of this plan may ever write: its stages, and what its searches try."""
        return {
            *self.addresses,
            *(tried for stage in self._linker.graph.attempts for tried in self.tries(stage)),
        }

    def chains(self) -> int:
        """How many stages one chain per trial would run, where nothing is shared."""
        inputs = self._linker.graph.inputs
        stamp = [-1] * len(inputs)
        total = 0
        for trial, ids in enumerate(self.trials.stages()):
            stack = list(ids)
            while stack:
                stage = stack.pop()
                if stamp[stage] != trial:
                    stamp[stage] = trial
                    total += 1
                    stack.extend(inputs[stage])
        return total

    def nodes(self) -> Mapping[str, tuple[str, ...]]:
        """``method.node`` -> the axes it depends on, for every node of the planned trials."""
        axes = self.trials.axes
        used = {id(origin.element.site): origin.element.site for origin in self._linker.graph.origins}
        return {site.name: tuple(axes.names[axis] for axis in site.axes) for site in used.values()}


class Trials(Sequence[Trial]):
    """The trials of a plan, made on demand: rows of codes per method, and the sites each method shows."""

    def __init__(self, linker: Linker, scopes: Sequence[tuple[str, Sequence[Site], Rows]]) -> None:
        self.axes = linker.axes
        self._linker = linker
        self._scopes = [(method, tuple(sites), rows.tolist()) for method, sites, rows in scopes]
        self._length = sum(len(rows) for _, _, rows in self._scopes)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Trial: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Trial]: ...
    def __getitem__(self, index: int | slice) -> Trial | Sequence[Trial]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        for method, sites, rows in self._scopes:
            if 0 <= index < len(rows):
                return self._trial(method, sites, rows[index])
            index -= len(rows)
        raise IndexError("no such trial")

    def __iter__(self) -> Iterator[Trial]:
        return (self._trial(method, sites, row) for method, sites, rows in self._scopes for row in rows)

    def stages(self) -> Iterator[list[int]]:
        """The ids each trial asks for, in the order of the trials."""
        for _, sites, rows in self._scopes:
            for row in rows:
                instances = [self._linker.at(site, tuple([row[a] for a in site.axes])) for site in sites]
                yield [stage for found in instances if found for stage in found.ids if stage is not None]

    def _trial(self, method: str, sites: Sequence[Site], row: Sequence[int]) -> Trial:
        depends = sorted({axis for site in sites for axis in site.axes})
        point = {METHOD: method} | {
            self.axes.names[axis]: self.axes.shown(axis, row[axis]) for axis in depends if row[axis] != ABSENT
        }
        return Trial(method, point, tuple(self._outputs(sites, row)))

    def _outputs(self, sites: Sequence[Site], row: Sequence[int]) -> Iterator[Output]:
        for site in sites:
            found = self._linker.at(site, tuple([row[a] for a in site.axes]))
            if found:
                for element, stage in zip(found.chosen.elements, found.ids, strict=True):
                    if stage is not None:
                        yield Output(site.node, {key: shown(v) for key, v in element.choice.items()}, stage)
