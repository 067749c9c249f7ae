"""How far a sweep is: counts, what runs, what failed, how fast, how long still. Pure: everything comes in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from orchestrator.plan import Plan

#: ``new``: never run; ``lost``: its driver is gone without a word; the rest as the last run ended.
State = Literal["new", "running", "lost", "done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Running:
    """A stage that runs."""

    address: str
    label: str
    short: str
    """The label without axes that have one value, and without the names of those whose values are text."""
    stage: str
    attempt: int
    worker: str
    seconds: float
    """Since this attempt started."""
    done: int = 0
    total: int = 0
    """Steps; 0 while it has not said how far it is."""
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def expected_seconds(self) -> float | None:
        """How long it takes in all at the pace so far; None while that is unknown."""
        return self.seconds * self.total / self.done if self.done and self.total else None


@dataclass(frozen=True, slots=True)
class Failed:
    """A stage that used up its attempts, with the reason of the last one in a line."""

    address: str
    label: str
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class StageCount:
    """How many stages of one name are done, of those that are done or needed."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Snapshot:
    """One moment of a sweep. Every stage that is done or needed is in exactly one of the five groups."""

    name: str
    state: State
    done: int
    running: tuple[Running, ...]
    failed: tuple[Failed, ...]
    blocked: Mapping[str, str]
    """Address -> address of the failed stage that it needs."""
    missing: int
    """Neither done, running, failed nor blocked: what waits for its turn, or for a run."""
    stages: tuple[StageCount, ...]
    executed: int
    """How many stages this run has finished itself."""
    seconds: float
    """Since this run began."""
    rate: float | None
    """Stages finished per second, lately."""
    eta_seconds: float | None
    """Until nothing is missing, at the pace of this run; None while that cannot be said."""
    note: str = ""
    """The last thing the engine wanted to be known."""

    @property
    def total(self) -> int:
        """How many stages are done or needed."""
        return self.done + len(self.running) + len(self.failed) + len(self.blocked) + self.missing

    def to_json(self) -> dict[str, Any]:
        """The counts under their names, and the details of what runs, failed and is blocked."""
        return {
            "name": self.name,
            "state": self.state,
            "total": self.total,
            "done": self.done,
            "running": len(self.running),
            "failed": len(self.failed),
            "blocked": len(self.blocked),
            "missing": self.missing,
            "rate": self.rate,
            "eta_seconds": self.eta_seconds,
            "stages": {count.stage: {"done": count.done, "total": count.total} for count in self.stages},
            "running_stages": [
                {
                    "address": item.address,
                    "label": item.label,
                    "attempt": item.attempt,
                    "worker": item.worker,
                    "seconds": item.seconds,
                    "done": item.done,
                    "total": item.total,
                    "metrics": dict(item.metrics),
                }
                for item in self.running
            ],
            "failed_stages": [
                {"address": item.address, "label": item.label, "cause": item.cause, "reason": item.reason}
                for item in self.failed
            ],
            "blocked_by": dict(self.blocked),
        }


def snapshot(
    plan: Plan,
    done: Collection[str],
    events: Iterable[Mapping[str, Any]],
    now: float,
    alive: bool = True,
) -> Snapshot:
    """How far ``plan`` is.

    Args:
        done: what the store has: the truth about what is done, whatever the events say.
        events: the journals of its runs, one after the other.
        now: unix seconds.
        alive: whether the driver of the last run, if it has not said how it ended, may still be there.
    """
    from orchestrator.monitor.tally import Tally  # it makes snapshots, and so knows this file

    tally = Tally(plan, done, settled=True)
    for event in events:
        tally.apply(event)
    return tally.snapshot(now, alive)
