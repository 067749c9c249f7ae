"""The driver of a Ray pool: gives ready stages to warm workers, and deals with what becomes of them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from queue import Empty

from orchestrator.engine.base import tell
from orchestrator.engine.capacity import Demand, Seat, arrange
from orchestrator.engine.cluster import check_shapes, draining, machines
from orchestrator.engine.control import Report
from orchestrator.engine.crew import Asked, Crew, Died, Ended, Looked, Member, Message, Ready
from orchestrator.engine.retry import Trouble
from orchestrator.engine.run import Run
from orchestrator.engine.shapes import Shapes, covers
from orchestrator.engine.signals import stopping
from orchestrator.engine.work import Summary, Work
from orchestrator.engine.worker import Outcome, Settings
from orchestrator.errors import OrchestratorError
from orchestrator.stage import Resources

TICK_SECONDS = 0.1
#: How often machines are counted and workers are asked how far they are.
LOOK_SECONDS = 1.0
#: A stage is sent while another runs if both take less than this, so that the worker never waits for us.
QUICK_SECONDS = 0.1
AHEAD = 2
#: So many workers in a row that do not start: the next will not either.
FALSE_STARTS = 5
#: So many workers are asked for at once; the next tick asks for more.
BATCH = 64
#: A worker that is not there by then waits for what somebody else holds.
OVERDUE_SECONDS = 60.0
#: At least so many workers wait where an autoscaler may see them.
GROWTH = 4


@dataclass(frozen=True)
class Limits:
    """What bounds a pool."""

    workers: int | None
    grace_seconds: float
    patience_seconds: float
    memory_growth_gib: float


class Pool:
    """One drain on the cluster that this process is connected to."""

    def __init__(self, work: Work, settings: Settings, limits: Limits, *, can_grow: bool) -> None:
        self._limits = limits
        self._can_grow = can_grow
        self._machines = machines()
        has_gpus = can_grow or any(machine.gpus for machine in self._machines)
        self._shapes = Shapes(work.plan, work.missing, gpus=has_gpus)
        if not can_grow:
            check_shapes(self._shapes.labels(), self._machines)
        self._run = Run(work, group=lambda stage, alone: self._shapes(stage, alone=alone))
        self._crew = Crew(work.store, settings, limits.memory_growth_gib)
        self._seconds = dict(work.durations)
        self._hungry: dict[Resources, float] = {}
        self._false_starts = 0
        self._next_look = 0.0
        self._next_plan = 0.0
        self._deadline: float | None = None
        if self._shapes.ignored:
            tell(
                self._run, "the cluster has no GPU: gpus counts as 0, stages that ask for one run on the CPU"
            )

    def drain(self) -> Summary:
        """Run until everything is over or a stop was asked for.

        Raises:
            OrchestratorError: no worker can be started at all.
        """
        interrupted = False
        with stopping(lambda: self._crew.inbox.put(Asked())):
            try:
                with self._run.announced():
                    self._loop()
            except KeyboardInterrupt:
                interrupted = True
            finally:
                for member in list(self._crew.members.values()):
                    self._crew.give_up(member)
        interrupted = interrupted or (self._deadline is not None and len(self._run) > 0)
        return self._run.summary(interrupted=interrupted)

    def _loop(self) -> None:
        while len(self._run):
            now = time.monotonic()
            if self._deadline is None:
                self._begin(now)
            elif now > self._deadline or not self._busy():
                return
            if now >= self._next_look:
                self._next_look = now + LOOK_SECONDS
                self._look(now)
            self._hear()

    def _begin(self, now: float) -> None:
        """Give out what is ready, and see to it that there are workers for it."""
        self._run.resume()
        for member in self._idle():
            self._feed(member, now)
        if now >= self._next_plan:
            self._next_plan = now + TICK_SECONDS
            self._arrange(now)

    def _hear(self) -> None:
        """Wait for a message, then take all that have come."""
        try:
            message = self._crew.inbox.get(timeout=TICK_SECONDS)
            while True:
                self._take(message)
                message = self._crew.inbox.get_nowait()
        except Empty:
            return

    def _take(self, message: Message) -> None:
        now = time.monotonic()
        match message:
            case Asked():
                self._stop(now)
            case Ready(member, place) if not member.gone:
                member.place, member.since = place, now
                self._false_starts = 0
                self._hungry.pop(member.shape, None)
            case Ended(member, stage, outcome) if not member.gone:
                self._ended(member, stage, outcome, now)
            case Died(member, reason) if not member.gone:
                self._died(member, reason)
            case Looked(member, address, report) if not member.gone:
                member.looking = False
                if report and member.stages and self._run.plan.addresses[member.stages[0]] == address:
                    self._looked(member, report, now)

    # Stages

    def _feed(self, member: Member, now: float) -> None:
        """Send ``member`` the most urgent stage of its shape, and one ahead where both are quick.

        A worker whose own shape has nothing ready takes a stage of a smaller one: to start a worker for it
        takes longer than most stages do.
        """
        queue = self._run.queue
        while len(member.stages) < AHEAD and not (member.leaving or member.spoiled or self._deadline):
            smaller = (s for s in self._ready_shapes() if covers(member.shape, s))
            shape = member.shape if queue.ready(member.shape) else next(smaller, member.shape)
            upcoming = queue.peek(shape)
            if upcoming is None or (
                member.stages and not (self._is_quick(member.stages[0]) and self._is_quick(upcoming))
            ):
                return
            stage = self._run.take(shape)
            assert stage is not None
            self._crew.send(member, stage, self._run.job(stage))
            if len(member.stages) == 1:
                self._began(member, now)

    def _began(self, member: Member, now: float) -> None:
        member.began, member.report = now, None
        self._run.started(member.stages[0], member.name)

    def _is_quick(self, stage: int) -> bool:
        return self._seconds.get(self._run.plan.stage_name(stage), QUICK_SECONDS) < QUICK_SECONDS

    def _ended(self, member: Member, stage: int, outcome: Outcome, now: float) -> None:
        was_first = member.stages[0] == stage
        member.stages.remove(stage)
        if outcome.ending == "done":
            name = self._run.plan.stage_name(stage)
            self._seconds[name] = 0.7 * self._seconds.get(name, outcome.seconds) + 0.3 * outcome.seconds
        member.spoiled = member.spoiled or outcome.spoiled
        if not was_first and outcome.ending != "returned":  # answers may overtake each other
            self._run.started(stage, member.name)
        self._run.ended(stage, outcome, on_gpu=member.shape.gpus > 0)
        if member.stages and was_first and not member.spoiled:
            self._began(member, now)
        if member.spoiled and not member.stages:
            self._crew.give_up(member)
        else:
            self._feed(member, now)

    def _died(self, member: Member, reason: str, trouble: Trouble = "system") -> None:
        """``member`` is no more: what it ran is tried again elsewhere, what it had not begun costs no try."""
        self._crew.give_up(member)
        if member.place is None:
            self._false_starts += 1
            if self._false_starts >= FALSE_STARTS:
                raise OrchestratorError(f"no worker can be started: {reason}")
        for position, stage in enumerate(member.stages):
            if position == 0 and not member.spoiled:
                self._run.ended(stage, Outcome(trouble, reason=f"{member.name}: {reason}"))
            else:
                self._run.ended(stage, Outcome("returned"))

    # Watching

    def _look(self, now: float) -> None:
        """Once a second: which machines there are, how far the stages are, and which stand still."""
        alive, leaving = machines(), draining()
        self._machines = [machine for machine in alive if machine.id not in leaving]
        there = {machine.id for machine in alive}
        for member in list(self._crew.members.values()):
            if member.place is not None and member.place.machine not in there:
                self._died(member, "its machine is gone")
            elif member.place is not None and member.place.machine in leaving:
                self._leave(member)
            elif member.stages and now - member.began >= LOOK_SECONDS:
                self._crew.look(member)
                self._check_time(member, now)

    def _leave(self, member: Member) -> None:
        """Let ``member`` save what it runs: its machine is about to be taken away."""
        if not member.stages:
            self._crew.give_up(member)
        elif not member.spoiled:
            member.spoiled = True
            self._crew.ask_to_stop(member, "its machine is being drained")

    def _looked(self, member: Member, report: Report, now: float) -> None:
        if member.report is None or report.moves != member.report.moves:
            member.moved = now
        if report != member.report:
            member.report = report
            self._run.progress(member.stages[0], report)

    def _check_time(self, member: Member, now: float) -> None:
        """End a worker whose stage reported and then stood still for too long; one that never reports may."""
        limit = self._run.job(member.stages[0]).timeout_seconds
        if limit is not None and member.report is not None and now - member.moved > limit:
            at = f"{member.report.done} of {member.report.total}"
            self._died(member, f"no progress for {limit:g} s, it stood at {at}", "timeout")

    def _stop(self, now: float) -> None:
        """Begin nothing more, and let what runs save its state."""
        if self._deadline is None:
            self._deadline = now + self._limits.grace_seconds
            for member in list(self._crew.members.values()):
                if member.stages:
                    self._crew.ask_to_stop(member)
                else:
                    self._crew.give_up(member)

    # Workers

    def _ready_shapes(self) -> list[Resources]:
        return [shape for shape in self._run.queue.groups() if isinstance(shape, Resources)]

    def _busy(self) -> bool:
        return any(member.stages for member in self._crew.members.values())

    def _idle(self) -> list[Member]:
        members = self._crew.members.values()
        return [m for m in members if m.place is not None and not m.stages and not m.leaving]

    def _arrange(self, now: float) -> None:
        """Start and give up workers so that what is ready has a place."""
        demands = self._demands(now)
        seats = [self._seat(member, now) for member in self._crew.members.values()]
        waiting = sum(seat.machine is None for seat in seats)
        growth = max(0, max(GROWTH, len(seats) - waiting) - waiting) if self._can_grow else 0
        changes = arrange(self._machines, seats, demands, limit=self._limits.workers, growth=growth)
        for key in changes.give_up:
            self._crew.give_up(self._crew.members[key])
        for member in self._crew.members.values():
            member.leaving = member.key in changes.leave
        for shape in changes.start:
            self._crew.start(shape, now)

    def _demands(self, now: float) -> list[Demand]:
        """What is ready and has no worker, by urgency."""
        queue = self._run.queue
        members = self._crew.members.values()
        there = {member.shape for member in members if member.place is not None and not member.leaving}
        waiting = Counter(member.shape for member in members if member.place is None)
        found = []
        shapes = self._ready_shapes()
        for shape in shapes:
            since = self._hungry.setdefault(shape, now)
            urgency = queue.urgency(shape)
            others = {member.shape for member in members} - {shape}
            over = {s for s in others if queue.urgency(s) < urgency} if shape in there else others
            starving = now - since >= self._limits.patience_seconds
            count = min(queue.ready(shape), waiting[shape] + BATCH)
            found.append(Demand(shape, count, starving, over))
        for shape in self._hungry.keys() - set(shapes):
            del self._hungry[shape]
        return found

    def _seat(self, member: Member, now: float) -> Seat:
        unused = not member.stages and (member.leaving or not self._run.queue.ready(member.shape))
        age = now - member.since
        if member.place is None:
            return Seat(member.key, member.shape, spare=unused, overdue=age > OVERDUE_SECONDS)
        return Seat(
            member.key,
            member.shape,
            member.place.machine,
            member.place.gpus,
            spare=unused,
            leaving=member.leaving,
            settled=age >= self._limits.patience_seconds,
        )
