"""What a plan hands out: jobs to run, and trials with what they point at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.identity import Input
from orchestrator.stage import Resources


@dataclass(frozen=True, slots=True)
class Job:
    """Everything a worker needs to run one stage; plain data, so that it travels."""

    address: str
    package: str
    """Where the stage is found by name."""
    stage: str
    fields: Mapping[str, Any]
    """Data that builds the stage."""
    text: str
    """The canonical text whose digest is the address."""
    inputs: Mapping[str, Input]
    """Role -> ``address`` or ``address/part``, or a list of these."""
    resources: Resources
    timeout_seconds: float | None
    node: str
    """``method.node``."""
    point: Mapping[str, Any]
    """The values it depends on, as shown to people."""
    tries: tuple[Job, ...] = ()
    """What a search tries: trainings that are no part of the plan."""

    @property
    def label(self) -> str:
        """The node and its point, for people."""
        return " ".join([self.node, *(f"{axis}={value}" for axis, value in self.point.items())])


@dataclass(frozen=True, slots=True)
class Output:
    """What one node of a trial points at; with ``each`` keys there are several per node."""

    node: str
    each: Mapping[str, Any]
    """The values of the node's own axes, as shown."""
    stage: int
    """The stage's id in the plan."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One point of the sweep, reduced to the axes that its network and its evaluation depend on."""

    method: str
    point: Mapping[str, Any]
    """Axis -> value as shown, with ``method``."""
    outputs: tuple[Output, ...]
