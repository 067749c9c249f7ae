"""The workers of a pool as their driver sees them: everything that is said to Ray about one of them."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import ray

from orchestrator.engine.actor import OPTIONS, Place, Worker, environment
from orchestrator.engine.cluster import GIB
from orchestrator.engine.control import Report
from orchestrator.engine.worker import Outcome, Settings
from orchestrator.plan.job import Job
from orchestrator.stage import Resources
from orchestrator.storage import Store


@dataclass(slots=True, eq=False)
class Member:
    """One worker, from the moment it is asked for."""

    key: int
    shape: Resources
    actor: Any
    since: float
    """When it was asked for, then when it was there."""
    place: Place | None = None
    """None until it is there."""
    stages: deque[int] = field(default_factory=deque)
    """What it was sent and has not answered; the first of them runs."""
    leaving: bool = False
    """It gets nothing more, because another shape needs its place."""
    spoiled: bool = False
    """It runs nothing more: a stage raised in it, it holds too much memory, or its machine goes away."""
    gone: bool = False
    began: float = 0.0
    """When the first of `stages` began."""
    report: Report | None = None
    moved: float = 0.0
    """When the running stage's report last said something new."""
    looking: bool = False

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.place.host}/{self.place.pid}" if self.place else "a worker that was not there yet"


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker is there."""

    member: Member
    place: Place


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker is done with what it was sent."""

    member: Member
    stage: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Died:
    """A worker answers no more."""

    member: Member
    reason: str


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a worker is with the stage at ``address``."""

    member: Member
    address: str
    report: Report | None


@dataclass(frozen=True, slots=True)
class Asked:
    """We are asked to stop."""


Message = Ready | Ended | Died | Looked | Asked


class Crew:
    """The workers that are there or were asked for; what they say comes into `inbox`."""

    def __init__(self, store: Store, settings: Settings, growth_gib: float) -> None:
        self.members: dict[int, Member] = {}
        self.inbox: SimpleQueue[Message] = SimpleQueue()
        self._store = store
        self._settings = settings
        self._growth_bytes = int(growth_gib * GIB)
        self._keys = itertools.count()
        self._actor_class = ray.remote(**OPTIONS)(Worker)

    def start(self, shape: Resources, now: float) -> Member:
        """Ask for a worker of ``shape``; it is there when it says `Ready`."""
        options = {
            "num_cpus": shape.cpus,
            "num_gpus": shape.gpus,
            **({"memory": int(shape.memory_gib * GIB)} if shape.memory_gib else {}),
        }
        actor: Any = self._actor_class.options(**options).remote(
            self._store, self._settings, shape.gpus, self._growth_bytes, environment(shape.cpus)
        )
        member = Member(next(self._keys), shape, actor, now)
        self.members[member.key] = member
        self._listen(member, actor.place.remote(), lambda place: Ready(member, place))
        return member

    def send(self, member: Member, stage: int, job: Job) -> None:
        """Give ``member`` a stage to run after those it has."""
        member.stages.append(stage)
        self._listen(member, member.actor.run.remote(job), lambda outcome: Ended(member, stage, outcome))

    def look(self, member: Member) -> None:
        """Ask ``member`` how far it is, unless it still owes an answer."""
        if not member.looking:
            member.looking = True
            self._listen(member, member.actor.look.remote(), lambda found: Looked(member, *found))

    def ask_to_stop(self, member: Member, notice: str = "") -> None:
        """Let ``member`` save what it runs, and begin nothing more; ``notice``: why it goes on elsewhere."""
        member.actor.stop.remote(notice)

    def give_up(self, member: Member) -> None:
        """End ``member`` now."""
        member.gone = True
        self.members.pop(member.key, None)
        ray.kill(member.actor)

    def _listen(self, member: Member, reference: Any, message: Callable[[Any], Message]) -> None:
        def heard(future: Any) -> None:
            error = future.exception()
            self.inbox.put(message(future.result()) if error is None else Died(member, _why(error)))

        reference.future().add_done_callback(heard)


def _why(error: BaseException) -> str:
    """Ray's explanation in one line: the one that says because, else the last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    chosen = next((line for line in reversed(lines) if "because" in line), lines[-1])
    return chosen.split(" Some common causes include")[0][:300]
