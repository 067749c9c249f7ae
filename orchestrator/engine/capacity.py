"""Which workers to start, which to give up: resource shapes on machines. Pure: no clock, no Ray.

A worker holds the resources of its shape as long as it lives, so a shape whose stages are ready may find
every machine full of idle workers of another shape, or of busy ones that never pause. Here it is decided who
makes room.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from orchestrator.stage import Resources

#: Resources are compared with this slack: shares of a GPU are floats.
SLACK = 1e-6
#: The key of a seat that is only planned.
NEW = -1


@dataclass(frozen=True, slots=True)
class Machine:
    """A node of the cluster and what it has in all."""

    id: str
    cpus: float
    gpus: int = 0
    memory_gib: float = math.inf

    def can_hold(self, shape: Resources) -> bool:
        """Whether a worker of ``shape`` fits when there is nothing else."""
        return _Room(self).place(shape) is not None


@dataclass(frozen=True, slots=True)
class Seat:
    """A worker as the planning sees it."""

    key: int
    shape: Resources
    machine: str | None = None
    """None: it was asked for and is not there yet."""
    gpus: tuple[int, ...] = ()
    spare: bool = False
    """Idle or not there yet, and nothing of its shape is ready; or idle and told to leave."""
    leaving: bool = False
    settled: bool = False
    """There so long that it may be asked to leave: two shapes must not chase each other away."""
    overdue: bool = False
    """Asked for long ago: what looks free is held by somebody else."""


@dataclass(frozen=True, slots=True)
class Demand:
    """How many stages of a shape are ready and have no worker that is there."""

    shape: Resources
    count: int
    starving: bool = False
    """It waited so long that busy workers must leave for it, as soon as they have finished their stage."""
    over: Collection[Resources] = ()
    """The shapes whose busy workers may be asked to leave."""


@dataclass(slots=True)
class Changes:
    """What to do now."""

    start: list[Resources] = field(default_factory=list)
    give_up: list[int] = field(default_factory=list)
    """Seats to end now; they do nothing."""
    leave: list[int] = field(default_factory=list)
    """Seats that get no further stage and are given up when they have finished."""


def arrange(
    machines: Sequence[Machine],
    seats: Sequence[Seat],
    demands: Iterable[Demand],
    *,
    limit: int | None = None,
    growth: int = 0,
) -> Changes:
    """The changes that serve ``demands``, the first of them first, except that a starving one precedes all.

    At most ``limit`` workers are there at once. ``growth`` workers may be asked for although no machine has
    room: an autoscaler sees that they wait.
    """
    plan = _Plan(machines, seats, math.inf if limit is None else limit, growth)
    for demand in sorted(demands, key=attrgetter("starving"), reverse=True):
        for _ in range(demand.count - plan.coming[demand.shape]):
            if not plan.serve(demand):
                break
    return plan.changes


class _Room:
    """What is free on one machine."""

    def __init__(self, machine: Machine, seats: Iterable[Seat] = ()) -> None:
        self._cpus = machine.cpus
        self._memory_gib = machine.memory_gib
        self._gpus = [1.0] * machine.gpus
        for seat in seats:
            self.hold(seat.shape, seat.gpus)

    def place(self, shape: Resources) -> tuple[int, ...] | None:
        """The GPUs that a worker of ``shape`` would get, perhaps none; None if it does not fit."""
        if _cpus(shape) > self._cpus + SLACK or shape.memory_gib > self._memory_gib + SLACK:
            return None
        # The fullest GPU that has the share left, or as many whole ones.
        fitting = [(left, i) for i, left in enumerate(self._gpus) if left >= min(shape.gpus, 1.0) - SLACK]
        count = math.ceil(shape.gpus - SLACK)
        return tuple(i for _, i in sorted(fitting)[:count]) if len(fitting) >= count else None

    def hold(self, shape: Resources, gpus: Iterable[int]) -> None:
        """Take the resources of ``shape``, which it has already or was given by `place`."""
        self._cpus -= _cpus(shape)
        self._memory_gib -= shape.memory_gib
        for index in gpus:
            if index < len(self._gpus):
                self._gpus[index] -= min(shape.gpus, 1.0)


class _Site:
    """A machine with the workers on it, those included that are planned to be there."""

    def __init__(self, machine: Machine, seats: list[Seat]) -> None:
        self.machine = machine
        self.seats = seats
        self.room = _Room(machine, seats)

    def add(self, seat: Seat) -> bool:
        """Put ``seat`` here if there is room for it."""
        gpus = self.room.place(seat.shape)
        if gpus is None:
            return False
        self.seats.append(replace(seat, gpus=gpus))
        self.room.hold(seat.shape, gpus)
        return True

    def remove(self, keys: Collection[int]) -> None:
        self.seats = [seat for seat in self.seats if seat.key not in keys]
        self.room = _Room(self.machine, self.seats)

    def fits(self, shape: Resources, without: Collection[Seat] = ()) -> bool:
        room = _Room(self.machine, (s for s in self.seats if s not in without)) if without else self.room
        return room.place(shape) is not None

    def fewest(self, shape: Resources, candidates: Sequence[Seat]) -> list[Seat] | None:
        """The seats, earlier ones preferred, that must go for ``shape`` to fit; None: all are too few."""
        chosen: list[Seat] = []
        for seat in (seat for seat in candidates if seat in self.seats):
            chosen.append(seat)
            if self.fits(shape, chosen):
                break
        else:
            return None
        for seat in chosen[::-1]:
            fewer = [other for other in chosen if other is not seat]
            if fewer and self.fits(shape, fewer):
                chosen = fewer
        return chosen


class _Plan:
    def __init__(self, machines: Sequence[Machine], seats: Sequence[Seat], limit: float, growth: int) -> None:
        self.changes = Changes()
        self._limit = limit
        self._growth = growth
        self._count = len(seats)
        at: dict[str | None, list[Seat]] = {}
        for seat in seats:
            at.setdefault(seat.machine, []).append(seat)
        self._sites = [_Site(machine, at.get(machine.id, [])) for machine in machines]
        self.coming: Counter[Resources] = Counter()
        """Who was asked for and will find a place, by shape."""
        self._placeless: Counter[Resources] = Counter()
        for seat in at.get(None, []):
            placed = any(site.add(seat) for site in self._sites)
            (self.coming if placed else self._placeless)[seat.shape] += 1
            if seat.overdue:
                self._give_up(self._spare(seat.shape)[:1])

    def serve(self, demand: Demand) -> bool:
        """Find room for one more worker of the shape; whether it is worth asking for yet another."""
        shape = demand.shape
        full = self._count >= self._limit and not self._placeless[shape]
        if not full and self._place(shape):
            return self._start(shape)
        spare = self._spare(shape)
        chosen = self._fewest(shape, spare)
        if chosen:
            self._give_up(chosen)
            self._place(shape)
            return self._start(shape)
        if demand.starving:
            busy = [seat for seat in self._seats() if seat.settled and seat.shape in demand.over]
            busy.sort(key=lambda seat: (not seat.leaving, seat.gpus))
            chosen = self._fewest(shape, [*spare, *(seat for seat in busy if not seat.spare)])
            if chosen:
                # What they free is kept for this shape: nobody else may be put there meanwhile.
                self.changes.leave += self._remove(chosen)
                self._place(shape)
                return False
        if (self._growth > 0 or self._placeless[shape]) and not full:
            self._growth -= not self._placeless[shape]
            return self._start(shape)
        return False

    def _place(self, shape: Resources) -> bool:
        return any(site.add(Seat(NEW, shape)) for site in self._sites)

    def _start(self, shape: Resources) -> bool:
        """Ask for a worker, unless one waits already for the place that it now has."""
        if self._placeless[shape]:
            self._placeless[shape] -= 1
        else:
            self.changes.start.append(shape)
            self._count += 1
        return True

    def _spare(self, shape: Resources) -> list[Seat]:
        """Who can go for a worker of another ``shape``."""
        return [seat for seat in self._seats() if seat.spare and seat.shape != shape]

    def _seats(self) -> Iterable[Seat]:
        return (seat for site in self._sites for seat in site.seats)

    def _give_up(self, chosen: Sequence[Seat]) -> None:
        self.changes.give_up += self._remove(chosen)

    def _fewest(self, shape: Resources, candidates: Sequence[Seat]) -> Sequence[Seat]:
        """The candidates on one machine that must go; empty if that would not help."""
        if candidates and any(site.fits(shape) for site in self._sites):
            return candidates[:1]  # only the limit stands in the way
        found = [chosen for site in self._sites if (chosen := site.fewest(shape, candidates))]
        return min(found, key=len, default=())

    def _remove(self, chosen: Sequence[Seat]) -> list[int]:
        keys = [seat.key for seat in chosen]
        for site in self._sites:
            if any(seat in chosen for seat in site.seats):
                site.remove(keys)
        self._count -= len(keys)
        return keys


def _cpus(shape: Resources) -> float:
    """What ``shape`` counts for; who asks for nothing counts as one CPU, or there were no end of them."""
    return shape.cpus or (0.0 if shape.gpus or shape.memory_gib else 1.0)
