"""The contract between the orchestrator and what it runs. Standard library only.

A stage is a frozen value. Its fields are the keys of the sweep file, its validation, its documentation and,
together with the addresses of what it reads, its address. Its output is a folder and a few numbers.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Protocol

#: ``field(default=..., metadata=LATER)`` marks a field added after results existed: at its default it is
#: left out of the address, so that the results stay valid.
LATER: Mapping[str, Any] = {"omit_default_from_address": True}


#: The environment variable that names the folder of data sets, for every process that runs stages.
DATA = "SPARSWEEP_DATA"


class Role(Enum):
    """How many outputs a stage reads under one name."""

    ONE = "one"
    OPTIONAL = "optional"
    LIST = "list"
    OPTIONAL_LIST = "optional list"

    @property
    def required(self) -> bool:
        """Whether the stage cannot do without it."""
        return self in (Role.ONE, Role.LIST)

    @property
    def many(self) -> bool:
        """Whether it takes a list of outputs."""
        return self in (Role.LIST, Role.OPTIONAL_LIST)


@dataclass(frozen=True)
class Resources:
    """What a running stage occupies: logical CPUs, a share of GPUs, gibibytes of memory (0: not counted)."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory_gib: float = 0.0


class Checkpoint(Protocol):
    """Where a long stage leaves its state, so that another worker continues it."""

    def due(self) -> bool:
        """Whether enough time has passed, or a stop was asked for, that the stage should save now."""
        ...

    def latest(self) -> tuple[int, Path] | None:
        """The newest complete checkpoint as its step and its read-only folder."""
        ...

    def save(self, step: int, folder: Path) -> None:
        """Take over ``folder`` as the state after ``step`` steps; the caller must not touch it again."""
        ...


class Progress(Protocol):
    """How a stage says how far it is."""

    def __call__(self, done: int, total: int, **metrics: float) -> None:
        """Report ``done`` of ``total`` steps and any current numbers; cheap enough for every step.

        Raises `orchestrator.stage.Stop` when the stage should end now; its checkpoint is kept.
        """
        ...


class Stop(BaseException):
    """The engine asks the running stage to end; a checkpoint that was due has been saved.

    Like KeyboardInterrupt it is no `Exception`: a stage's own handlers must not swallow it.
    """


class Planned(Protocol):
    """A stage that a plan will run, as those that read it may look at it."""

    @property
    def stage(self) -> Stage:
        """The stage itself."""
        ...

    @property
    def inputs(self) -> Mapping[str, Sequence[Planned]]:
        """What it reads, by role."""
        ...


@dataclass(frozen=True)
class Workspace:
    """Everything a running stage may touch. Time, randomness, devices and paths come in here or as fields."""

    inputs: Mapping[str, Path | list[Path]]
    """Role -> read-only folder, or a list of folders for a list role."""
    output: Path
    """An empty scratch folder; what lies in it when `run` returns is the output."""
    scratch: Path
    """A second empty folder, thrown away afterwards (checkpoints are prepared here)."""
    checkpoint: Checkpoint
    progress: Progress
    device: str = "cpu"
    """``cpu``, or ``cuda`` when the stage was given a share of a GPU."""
    cpus: float = 1.0
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("sparsweep.stage"))
    measured: dict[str, float] = field(default_factory=dict)
    """Seconds, bytes and latencies the stage wants in its manifest; never compared between runs."""
    warnings: list[str] = field(default_factory=list)
    """Sentences that must travel with the numbers of this stage into every table."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    """Data set -> fingerprint of its content, as loaded by this stage."""


@dataclass(frozen=True)
class Stage(ABC):
    """One step of a trial: a frozen value with a name (its file's), a version, roles and a `run`."""

    version: ClassVar[int] = 1
    """Raise it when the same fields give other results; every address of the stage changes."""
    roles: ClassVar[Mapping[str, Role]] = {}
    """What it reads, by role."""
    parts: ClassVar[tuple[str, ...]] = ()
    """Sub-folders of its output that may be read alone, as ``node/part``."""
    resources: ClassVar[Resources] = Resources()
    """What it asks for where the sweep says nothing."""

    @abstractmethod
    def run(self, space: Workspace) -> Mapping[str, float]:
        """Write the output folder and return the metrics, a flat mapping from name to float.

        The same fields and inputs give the same files and metrics, wherever and after whatever it runs.
        """

    def check_inputs(self, inputs: Mapping[str, Sequence[Planned]]) -> None:  # noqa: B027 - as `check`
        """Refuse what is read, by role, where it does not go with the fields; said before anything runs.

        Raises:
            ValueError: the rule that is broken, then the value.
        """

    def check_part(self, part: str) -> None:  # noqa: B027 - as `check`
        """Refuse that another stage reads ``part``, one of `parts`, where the fields say that there is none.

        Raises:
            ValueError: the rule that is broken, then the value.
        """

    def check(self, reads: Iterable[str]) -> None:  # noqa: B027 - a hook with an obvious default: nothing to add
        """Refuse fields or ``reads`` (the roles that are given) that do not go together.

        Raises:
            ValueError: the rule that is broken, then the value.
        """
