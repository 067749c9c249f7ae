"""What goes into a drain and what comes out of it: plain values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.engine.retry import Cause
from orchestrator.journal import new_run_id
from orchestrator.plan import Plan
from orchestrator.storage import Store

Event = dict[str, Any]


class Journal(Protocol):
    """Where the events of a run are kept."""

    def append(self, kind: str, **fields: Any) -> None:
        """Note an event of ``kind``."""
        ...


@dataclass(frozen=True)
class Work:
    """A plan, what of it is to be run, and everyone who wants to hear about it."""

    plan: Plan
    store: Store
    journal: Journal
    done: Collection[str]
    """The addresses whose output was there at the start, less those in `again`."""
    missing: Collection[int]
    """The stages to run."""
    durations: Mapping[str, float] = field(default_factory=dict)
    """Expected seconds by stage name."""
    skip: Collection[str] = ()
    """Addresses that are not to be tried: they failed before."""
    listener: Callable[[Event], None] | None = None
    again: Collection[str] = ()
    """The addresses that are done and made once more, because their files were dropped and are read."""
    run: str = field(default_factory=new_run_id)
    """The id of this run, unique in the store."""
    beat_seconds: float = 5.0
    """How often other drivers hear what this one runs."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A stage that was given up."""

    address: str
    label: str
    reason: str
    """One line."""
    traceback: str
    cause: Cause
    repeated: bool
    """Whether its last two tries died of the same error: another try is hardly worth it."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How a drain ended."""

    done: int = 0
    """Stages whose output is there now, made by this run or meanwhile by another driver."""
    failed: tuple[Failure, ...] = ()
    blocked: Mapping[str, str] = field(default_factory=dict)
    """Address of what was not run -> the failed address it needs; a skipped stage maps to itself."""
    interrupted: bool = False
    seconds: float = 0.0
