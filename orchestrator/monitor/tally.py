"""The running count of a sweep, fed with one event after another; cheap for each, however large the plan."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, final

from orchestrator.monitor.pace import WINDOW_SECONDS, eta_seconds, rate
from orchestrator.monitor.snapshot import Failed, Running, Snapshot, StageCount, State

if TYPE_CHECKING:
    from orchestrator.plan import Plan


@final
class Tally:
    """Where every stage of a plan stands. Not thread-safe.

    With ``settled``, ``done`` is newer than all events: it alone says what is done, and they say the rest.
    Without, events say what has been done and undone since.
    """

    def __init__(self, plan: Plan, done: Collection[str], settled: bool = False) -> None:
        self.plan = plan
        self._settled = settled
        self.finished: set[str] = set()
        """What has been finished since ``done`` was listed."""
        self.failed: dict[str, Failed] = {}
        self._needed = plan.missing(done)
        self._position = {plan.addresses[stage]: stage for stage in self._needed}
        self._done = Counter(
            plan.stage_name(i) for i, address in enumerate(plan.addresses) if address in done
        )
        self._waiting = Counter(map(plan.stage_name, self._needed))
        self._constant = {axis.name for axis in plan.sweep.axes if len(axis.values) == 1}
        self._running: dict[str, Mapping[str, Any]] = {}
        self._progress: dict[str, Mapping[str, Any]] = {}
        self._blocked: dict[str, str] = {}
        self._blocked_for: frozenset[str] = frozenset()
        self._begin({})

    def _begin(self, event: Mapping[str, Any]) -> None:
        """Start to count for a run: what ran before runs no more."""
        self._opened = event.get("at")
        self._outcome: State | None = None
        self._note = ""
        self._executed = 0
        self._recent: deque[float] = deque()
        self._busy: dict[str, float] = defaultdict(float)  # seconds by stage name
        self._count: Counter[str] = Counter()
        self._running.clear()
        self._progress.clear()

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take notice of an event; of unknown kinds and of stages outside the plan it is nothing new."""
        kind, address = event.get("kind"), event.get("address")
        if kind == "opened":
            self._begin(event)
        elif kind == "closed":
            self._outcome = event.get("outcome", "done")
            self._running.clear()
        elif kind == "note":
            self._note = str(event.get("text", ""))
        elif isinstance(address, str):
            try:
                stage = self.plan.id_of(address)
            except KeyError:
                return
            if kind == "finished" and not event.get("elsewhere"):
                self._clock(stage, event)
            if kind == "started" and address not in self._position and not self._settled:
                self._bring_back(stage)
            if address in self._position:
                self._move(str(kind), address, event)

    def _clock(self, stage: int, event: Mapping[str, Any]) -> None:
        """Remember how long a stage took, and when."""
        name, at = self.plan.stage_name(stage), float(event["at"])
        self._executed += 1
        self._busy[name] += float(event.get("seconds", 0.0))
        self._count[name] += 1
        self._recent.append(at)
        while self._recent[0] <= at - WINDOW_SECONDS:
            self._recent.popleft()

    def _bring_back(self, stage: int) -> None:
        """Count a stage as needed again that was done: its output was found damaged or gone."""
        name = self.plan.stage_name(stage)
        self._needed = sorted([*self._needed, stage])
        self._position[self.plan.addresses[stage]] = stage
        self._done[name] -= 1
        self._waiting[name] += 1

    def _move(self, kind: str, address: str, event: Mapping[str, Any]) -> None:
        if kind == "progress":
            self._progress[address] = event
            return
        if kind == "started":
            self._progress.pop(address, None)
            self.failed.pop(address, None)
            self.finished.discard(address)
            self._running[address] = event
            return
        started = self._running.pop(address, {})
        if kind == "finished":
            self.failed.pop(address, None)
            if not self._settled:
                self.finished.add(address)
        elif kind == "failed":
            label = str(event.get("label") or started.get("label") or address)
            cause, reason = str(event.get("cause", "error")), str(event.get("reason", ""))
            self.failed[address] = Failed(address, label, cause, reason)

    def progress(self) -> tuple[int, int]:
        """How many stages are done, of how many that are done or needed."""
        done = self._done.total() + len(self.finished)
        return done, self._done.total() + len(self._needed)

    def blocked(self) -> Mapping[str, str]:
        """Address -> the failed stage that it needs, for what is still missing."""
        failed = frozenset(self.failed)
        if failed != self._blocked_for:
            found: dict[str, str] = {}
            for stage in self._needed if failed else ():  # parents stand before their children
                for parent in self.plan.parents(stage):
                    cause = self.plan.addresses[parent]
                    if by := cause if cause in failed else found.get(cause):
                        found.setdefault(self.plan.addresses[stage], by)
            self._blocked, self._blocked_for = found, failed
        gone = self.finished | self.failed.keys() | self._running.keys()
        return {address: by for address, by in self._blocked.items() if address not in gone}

    def snapshot(self, now: float, alive: bool = True) -> Snapshot:
        """How things stand at ``now``; ``alive`` as in `orchestrator.monitor.snapshot.snapshot`."""
        blocked = self.blocked()
        state = self._state(alive)
        running = (
            tuple(map(self._run, self._running, [now] * len(self._running))) if state == "running" else ()
        )
        names = Counter(self.plan.stage_name(self._position[address]) for address in self.finished)
        done = self._done + names
        out = Counter(self.plan.stage_name(self._position[address]) for address in (*self.failed, *blocked))
        waiting = self._waiting - names - out - Counter(item.stage for item in running)
        seconds = max(0.0, now - float(self._opened)) if self._opened is not None else 0.0
        return Snapshot(
            name=self.plan.sweep.name,
            state=state,
            done=done.total(),
            running=running,
            failed=tuple(self.failed.values()),
            blocked=blocked,
            missing=waiting.total(),
            stages=tuple(
                StageCount(name, done[name], self._done[name] + self._waiting[name])
                for name in dict.fromkeys([*self._done, *self._waiting])
            ),
            executed=self._executed,
            seconds=seconds,
            rate=rate(self._recent, self._opened, now) if state == "running" else None,
            eta_seconds=eta_seconds(waiting, running, self._busy, self._count, seconds)
            if state == "running"
            else None,
            note=self._note,
        )

    def _state(self, alive: bool) -> State:
        if self._opened is None:
            return "new"
        return self._outcome or ("running" if alive else "lost")

    def _short(self, address: str) -> str:
        job = self.plan.job(self._position[address])
        return " ".join(
            [
                job.node,
                *(
                    value if isinstance(value, str) else f"{axis}={value}"
                    for axis, value in job.point.items()
                    if axis not in self._constant
                ),
            ]
        )

    def _run(self, address: str, now: float) -> Running:
        started, progress = self._running[address], self._progress.get(address, {})
        return Running(
            address,
            str(started.get("label") or started.get("node") or address),
            self._short(address),
            self.plan.stage_name(self._position[address]),
            int(started.get("attempt", 1)),
            str(started.get("worker", "")),
            max(0.0, now - float(started["at"])),
            int(progress.get("done", 0)),
            int(progress.get("total", 0)),
            progress.get("metrics", {}),
        )
