"""This driver among others on one store: it says what it runs, and leaves to others what they run.

Nothing here is needed for correct results. Two drivers that know nothing of each other both publish whole
outputs, and the first one stays; beats only spare them most of the double work.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from orchestrator.errors import StoreError
from orchestrator.storage import Store
from orchestrator.storage.beats import Beat, Heard, hear, key_of, this_process

#: The first beats follow each other faster: nothing is known yet of who else is there and how fast we are.
FIRST_PAUSES = (1 / 8, 1 / 4, 1 / 2)
#: Beats of drivers that were started together drift apart.
JITTER = 0.2
#: A beat is a small object.
MOST_RUNNING = 10_000
MOST_UPCOMING = 512
#: The beat of a dead driver of another sweep is removed when it is so old; its `status` reads it till then.
FORGOTTEN_SECONDS = 86400.0
#: So long the end of a drain waits for a beat that is being written.
LEAVE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class News:
    """What became known of the other drivers."""

    held: frozenset[str]
    """The addresses that are left to them, now."""
    done: frozenset[str] = frozenset()
    """Those they have published since the last news."""
    ours: tuple[str, ...] = ()
    """Those that others leave to us, the first first; empty while there are no others."""


class Drivers:
    """The beats of one drain, written by a thread of their own. All methods may be called from any thread.

    ``knows`` says whether an address is planned here, ``published`` which of some are done by now. A beat
    that cannot be written is tried again with the next; a drain does not end for want of beats.
    """

    def __init__(
        self,
        store: Store,
        run: str,
        sweep: str,
        *,
        knows: Callable[[str], bool],
        published: Callable[[Collection[str]], Collection[str]],
        every_seconds: float,
    ) -> None:
        self._store = store
        self._run = run
        self._sweep = sweep
        self._knows = knows
        self._published = published
        self._every_seconds = every_seconds
        self._lock = threading.Lock()
        self._running: dict[str, None] = {}
        self._upcoming: tuple[str, ...] = ()
        self._foreseen = 0.0
        self._news: News | None = None
        self._heard: Mapping[str, Heard] = {}
        self._said: tuple[str, ...] = ()
        self._held: frozenset[str] = frozenset()
        self._kept: frozenset[str] = frozenset()
        self._ours: tuple[str, ...] = ()
        self._leaving = threading.Event()
        self.alone = True
        """Whether no other driver was at work on the store when last we heard."""

    @contextmanager
    def announced(self, plan_ahead: Callable[[], None]) -> Iterator[None]:
        """Inside, others know of this driver. ``plan_ahead`` is called before the block and may `foresee`.

        The first beat names nothing: first those who were here before us are heard. If there are others who
        may have come at the same moment, what they say is heard once more.
        """
        thread = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)
        try:
            for last in (False, False, True):
                if not last or len(self._heard) > 1:
                    self.beat()
                    plan_ahead()
            thread.start()
            yield
        finally:
            self._leaving.set()
            if thread.ident is not None:
                thread.join(LEAVE_SECONDS)
            with suppress(StoreError):  # it expires
                self._store.delete_keys([key_of(self._run)])

    def begin(self, address: str) -> None:
        """This driver runs the stage at ``address``."""
        with self._lock:
            self._running[address] = None

    def end(self, address: str) -> None:
        """It does so no more."""
        with self._lock:
            self._running.pop(address, None)

    def foresee(self, upcoming: Sequence[str]) -> None:
        """It will begin these before its next beat, or soon after."""
        with self._lock:
            self._upcoming = tuple(upcoming[:MOST_UPCOMING])
            self._foreseen = time.monotonic()

    def news(self) -> News | None:
        """What became known since the last call; None: nothing."""
        if self._news is None:
            return None
        with self._lock:
            news, self._news = self._news, None
        return news

    def beat(self) -> None:
        """Say what runs here, then hear what runs elsewhere: a write and a listing, while we are alone."""
        beat = self._own()
        try:
            self._store.put_bytes(beat.key, beat.to_json())
            self._said = beat.upcoming
            self._heard = hear(self._store, self._heard, beat)
            own = self._heard.get(self._run)
            # our own beat was dated just now by the same clock as theirs
            now = own.modified if own is not None else self._store.now()
            self._listen(now)
        except StoreError:
            return

    def _own(self) -> Beat:
        with self._lock:
            running = tuple(self._running)[:MOST_RUNNING]
            # who has not said for so long what comes next is busy with something long
            late = time.monotonic() - self._foreseen > self._every_seconds
            upcoming = () if late else tuple(a for a in self._upcoming if a not in self._running)
        return Beat(self._run, self._sweep, this_process(), self._every_seconds, running, upcoming)

    def _listen(self, now: float) -> None:
        """Find out from what was heard what is left to others, and what they have done.

        What is said here for the first time gives way to whoever says it too; what was ours after the last
        beat does not. Of two drivers who say the same, the one that said it later heard the other: so never
        both keep it, and if both said it at once, and gave way, one of them is first the next time.
        """
        held: set[str] = set()
        kept = self._kept.intersection(self._said)
        alone = True
        for run, heard in self._heard.items():
            if run == self._run:
                continue
            if heard.is_fresh(now):
                alone = False
                held.update(heard.beat.running)
                held.update(set(heard.beat.upcoming) - kept)
            elif heard.beat.sweep == self._sweep or now - heard.modified > FORGOTTEN_SECONDS:
                with suppress(StoreError):
                    self._store.delete_keys([heard.beat.key])
        theirs = frozenset(filter(self._knows, held))
        let_go = self._held - theirs
        done = frozenset(self._published(let_go)) if let_go else frozenset()
        ours = tuple(address for address in self._said if address not in held)
        self._kept = frozenset(ours)
        self.alone = alone
        if alone:
            ours = ()
        if done or (theirs, ours) != (self._held, self._ours):
            self._held, self._ours = theirs, ours
            with self._lock:
                self._news = News(theirs, done | (self._news.done if self._news else frozenset()), ours)

    def _keep_beating(self) -> None:
        pauses = iter(FIRST_PAUSES)
        while True:
            seconds = self._every_seconds * next(pauses, 1.0)
            if self._leaving.wait(seconds * random.uniform(1 - JITTER, 1 + JITTER)):
                return
            self.beat()
