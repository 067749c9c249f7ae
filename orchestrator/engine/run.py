"""A plan being drained: what a stage's start and end mean, told to the journal and to whoever listens.

Engines decide where and when a stage runs. What follows from its end is the same for all and stands here.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.engine.control import Report
from orchestrator.engine.dropping import Dropper, drop_unread, drops
from orchestrator.engine.queue import Queue, State
from orchestrator.engine.retry import Ledger, Trouble, Verdict
from orchestrator.engine.sharing import Sharing
from orchestrator.engine.work import Failure, Summary, Work
from orchestrator.engine.worker import Outcome
from orchestrator.errors import StoreError
from orchestrator.plan.job import Job


class Run:
    """The state of one drain.

    ``group`` sorts stages into those that can run on the same worker; it is told whether a stage needs a
    whole GPU for itself, because it ran out of memory beside others.
    """

    def __init__(
        self,
        work: Work,
        *,
        group: Callable[[int, bool], Hashable] = lambda stage, alone: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.work = work
        self.plan = work.plan
        self.ledger = Ledger(work.plan.sweep.retries)
        self._clock = clock
        self._began = clock()
        self.queue = Queue(
            work.plan,
            work.missing,
            work.done,
            group=lambda stage: group(stage, self.ledger.is_alone(stage)),
            durations=work.durations,
        )
        self._sharing = Sharing(work, self.queue, clock=clock)
        self._dropper = None
        if drops(work.plan):
            self._dropper = Dropper(work.plan, work.store, list(work.missing), self._sharing.alone)
        self._jobs: dict[int, Job] = {}
        self._tries: Counter[int] = Counter()
        self._pausing: list[tuple[float, int]] = []
        self._failures: dict[int, Failure] = {}
        self._skipped: dict[str, str] = {}
        self._done = 0
        self._waits = False
        for stage in work.missing if work.skip else ():
            if self.plan.addresses[stage] in work.skip:
                self._skip(stage)

    def __len__(self) -> int:
        """How many stages are not over yet."""
        return len(self.queue)

    @contextmanager
    def announced(self) -> Iterator[None]:
        """Inside, other drivers on the store know what runs here, and what runs there is left to them."""
        with self._sharing.announced(self._heed):
            try:
                yield
            finally:
                if self._dropper is not None:
                    self._dropper.close()
            if not len(self):
                self._drop_rest()

    def take(self, group: Hashable = None) -> int | None:
        """The most urgent ready stage of ``group``, now held by the caller until it tells how it `ended`."""
        stage = self.queue.take(group)
        if stage is not None:
            self._sharing.begin(stage, group)
        return stage

    def job(self, stage: int) -> Job:
        """The job of a stage that was taken."""
        if stage not in self._jobs:
            self._jobs[stage] = self.plan.job(stage)
        return self._jobs[stage]

    def started(self, stage: int, worker: str) -> None:
        """``worker`` begins a try of ``stage``."""
        self._tries[stage] += 1
        self._tell("started", stage, node=self.job(stage).node, label=self.job(stage).label, worker=worker)

    def progress(self, stage: int, report: Report) -> None:
        """The running ``stage`` is so far."""
        self._emit(
            "progress",
            address=self.plan.addresses[stage],
            done=report.done,
            total=report.total,
            metrics=dict(report.metrics),
        )

    def note(self, text: str) -> None:
        """Something for people that belongs to no stage."""
        self._emit("note", text=text)

    def ended(self, stage: int, outcome: Outcome, *, on_gpu: bool = False) -> None:
        """A try of ``stage`` is over; the plan moves on accordingly."""
        self._sharing.end(stage)
        for text in outcome.notes:
            self.note(f"{self.job(stage).label}: {text}")
        match outcome.ending:
            case "done" | "elsewhere":
                self._finished(stage, outcome.seconds, elsewhere=outcome.ending == "elsewhere")
                self.queue.done(stage)
            case "stopped" | "returned":
                if outcome.reason:
                    self._tell("retried", stage, cause="system", reason=outcome.reason)
                self.queue.put_back(stage)
            case trouble:
                self._judge(stage, trouble, outcome, on_gpu)
        self._jobs.pop(stage, None)

    def resume(self) -> float | None:
        """Put back the stages whose pause is over; the seconds until the next one is, None if none pauses.

        What other drivers did meanwhile is taken notice of, too.
        """
        self._heed()
        while self._pausing and self._pausing[0][0] <= self._clock():
            self.queue.put_back(heapq.heappop(self._pausing)[1])
        return self._pausing[0][0] - self._clock() if self._pausing else None

    def summary(self, *, interrupted: bool = False) -> Summary:
        """How it ended."""
        addresses = self.plan.addresses
        blocked = {addresses[stage]: addresses[by] for stage, by in self.queue.blocked().items()}
        return Summary(
            done=self._done,
            failed=tuple(self._failures.values()),
            blocked=self._skipped | blocked,
            interrupted=interrupted,
            seconds=self._clock() - self._began,
        )

    def _heed(self) -> None:
        """Take notice of what other drivers did."""
        for stage in self._sharing.news():
            self._finished(stage, 0.0, elsewhere=True)
            self._jobs.pop(stage, None)
        held, idle = self.queue.count(State.HELD), not self.queue.count(State.READY)
        waits = bool(held) and idle and not self.queue.count(State.RUNNING)
        if waits and not self._waits:
            self.note(f"nothing to do for now: {held:,} stages are run by another driver on this store")
        self._waits = waits

    def _drop_rest(self) -> None:
        """Drop the files that nothing reads any more, those of earlier runs included."""
        try:
            count = drop_unread(self.plan, self.work.store, self.work.run)
        except StoreError as error:
            self.note(f"keep: metrics: not all files that are free could be dropped: {error}")
            return
        if count:
            self.note(f"keep: metrics: dropped the files of {count:,} outputs that nothing reads any more")

    def _finished(self, stage: int, seconds: float, *, elsewhere: bool) -> None:
        self._done += 1
        if self._dropper is not None:
            self._dropper.finished(stage)
        self._tell(
            "finished",
            stage,
            node=self.job(stage).node,
            seconds=round(seconds, 6),
            **({"elsewhere": True} if elsewhere else {}),
        )

    def _judge(self, stage: int, trouble: Trouble, outcome: Outcome, on_gpu: bool) -> None:
        verdict = self.ledger.judge(stage, trouble, outcome.reason, on_gpu=on_gpu)
        if not verdict.again:
            self._give_up(stage, verdict, outcome)
            return
        self._tell("retried", stage, cause=verdict.cause, reason=outcome.reason)
        if trouble == "lost":
            self._remake(outcome.lost, outcome.reason)
        if verdict.pause_seconds:
            heapq.heappush(self._pausing, (self._clock() + verdict.pause_seconds, stage))
        else:
            self.queue.put_back(stage)

    def _remake(self, address: str, why: str) -> None:
        """Put the stage of a lost output back, unless it is whole again; damaged, it leaves the store."""
        store = self.work.store
        try:
            gone = bool(store.dropped([address]))
            if not gone:
                store.quarantine(address, why)
                gone = store.manifest(address) is None
        except StoreError as error:
            self.note(f"{address} is lost and could not be put aside: {error}")
            return
        added = self.queue.reinstate(self.plan.id_of(address)) if gone else []
        for stage in added:
            if self._dropper is not None:
                self._dropper.expect(stage)
        if added:
            self.note(f"the output {address} is made again: {why}")

    def _give_up(self, stage: int, verdict: Verdict, outcome: Outcome) -> None:
        job = self.job(stage)
        failure = Failure(
            job.address, job.label, outcome.reason, outcome.traceback, verdict.cause, verdict.repeated
        )
        self._failures[stage] = failure
        self._tell(
            "failed",
            stage,
            node=job.node,
            label=job.label,
            cause=failure.cause,
            reason=failure.reason,
            traceback=failure.traceback,
            repeated=failure.repeated,
        )
        self._block(stage)

    def _skip(self, stage: int) -> None:
        if self.queue.state(stage) in (State.WAITING, State.READY):
            address = self.plan.addresses[stage]
            self._skipped[address] = address
            self._emit("blocked", address=address, by=address)
            self._block(stage)

    def _block(self, stage: int) -> None:
        by = self.plan.addresses[stage]
        for blocked in self.queue.fail(stage):
            self._emit("blocked", address=self.plan.addresses[blocked], by=by)

    def _tell(self, kind: str, stage: int, **fields: Any) -> None:
        self._emit(kind, address=self.plan.addresses[stage], attempt=self._tries[stage], **fields)

    def _emit(self, kind: str, **fields: Any) -> None:
        self.work.journal.append(kind, **fields)
        if self.work.listener is not None:
            self.work.listener({"kind": kind, "at": time.time(), **fields})
