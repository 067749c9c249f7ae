"""One plan and several drivers: what of its queue is left to the others, and what they are told."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager

from orchestrator.engine.drivers import Drivers
from orchestrator.engine.queue import Queue
from orchestrator.engine.work import Work

#: So often within a beat it is found out anew which stages come next.
FORESIGHTS = 10
#: So many beats ahead stages are foreseen: a beat is read up to one after it was written, and heeded up to
#: one more.
BEATS_AHEAD = 3
#: So many stages of each group are foreseen while it is not known how fast they go.
FIRST_STAGES = 8


class Sharing:
    """The part of a drain that concerns other drivers; called by the thread that the queue belongs to."""

    def __init__(self, work: Work, queue: Queue, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._work = work
        self._plan = work.plan
        self._queue = queue
        self._clock = clock
        self._seconds = work.beat_seconds
        self._drivers = Drivers(
            work.store,
            work.run,
            work.plan.sweep.name,
            knows=lambda address: bool(self._ids([address])),
            published=self._published,
            every_seconds=work.beat_seconds,
        )
        self._began = clock()
        self._begun: deque[tuple[float, Hashable]] = deque()
        self._next_foresight = 0.0

    @contextmanager
    def announced(self, heed: Callable[[], None]) -> Iterator[None]:
        """Inside, other drivers know of this one; ``heed`` is to call `news`."""
        with self._drivers.announced(heed):
            yield

    def alone(self) -> bool:
        """Whether no other driver is at work on the store, as far as is known."""
        return self._drivers.alone

    def begin(self, stage: int, group: Hashable) -> None:
        """``stage`` of ``group`` is taken from the queue, to run here."""
        self._drivers.begin(self._plan.addresses[stage])
        self._begun.append((self._clock(), group))

    def end(self, stage: int) -> None:
        """It runs here no more."""
        self._drivers.end(self._plan.addresses[stage])

    def news(self) -> list[int]:
        """Hear what others do, and say what is begun here next; the stages they have done, parents first."""
        found = []
        if news := self._drivers.news():
            found = [stage for stage in sorted(self._ids(news.done)) if self._queue.found(stage)]
            self._queue.hold(self._ids(news.held))
            self._queue.prefer(self._ids(news.ours))
            self._next_foresight = 0.0
        now = self._clock()
        if now >= self._next_foresight:
            self._next_foresight = now + self._seconds / FORESIGHTS
            self._drivers.foresee([self._plan.addresses[stage] for stage in self._upcoming(now)])
        return found

    def _upcoming(self, now: float) -> Iterator[int]:
        """What will begin within a few beats if stages go on to begin as often as they do.

        Not more: a stage that is named here is run nowhere else, even where somebody would have time for it.
        """
        while self._begun and self._begun[0][0] < now - self._seconds:
            self._begun.popleft()
        often = Counter(group for _, group in self._begun)
        first = FIRST_STAGES if now - self._began < self._seconds else 0
        for group in self._queue.groups():
            yield from self._queue.upcoming(group, max(BEATS_AHEAD * often[group], first))

    def _published(self, addresses: Collection[str]) -> set[str]:
        """Those of ``addresses`` that are done by now; what is made once more was done all the time."""
        store = self._work.store
        found = set(store.manifests(addresses))
        return {item for item in found if item not in self._work.again or store.is_whole(item)}

    def _ids(self, addresses: Iterable[str]) -> list[int]:
        """The stages of ``addresses`` that are planned."""
        found = []
        for address in addresses:
            try:
                found.append(self._plan.id_of(address))
            except KeyError:
                continue
        return found
