"""What a running stage and its engine say to each other: progress, checkpoints, and the wish to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from orchestrator.errors import StoreError
from orchestrator.stage import Stop
from orchestrator.storage import Store

#: How often a report is passed on at most; a stage may report every step.
REPORT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Report:
    """How far a stage is, and how often that changed: one that stands still may report, but does not move."""

    done: int
    total: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    moves: int = 0


@final
class Checkpoints:
    """The `orchestrator.stage.Checkpoint` of one try: due by the clock or for a stop; saved by a thread."""

    def __init__(
        self,
        store: Store,
        address: str,
        seconds: float,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._address = address
        self._seconds = seconds
        self._stop = stop
        self._clock = clock
        self._log = log
        self._last = clock()
        self._saving: threading.Thread | None = None
        self._asked = False
        self._saved_for_stop = False
        self.problems: list[str] = []
        """Why saves failed: a stage goes on without, and its next save may succeed."""

    def due(self) -> bool:
        self._asked = True
        if self._stop.is_set():
            return not self._saved_for_stop
        busy = self._saving is not None and self._saving.is_alive()
        return not busy and self._clock() - self._last >= self._seconds

    def latest(self) -> tuple[int, Path] | None:
        return self._store.latest_checkpoint(self._address)

    def save(self, step: int, folder: Path) -> None:
        self.wait()
        self._saved_for_stop = self._stop.is_set()
        self._last = self._clock()
        self._saving = threading.Thread(
            target=self._save, args=(step, folder), name="checkpoint", daemon=True
        )
        self._saving.start()

    def wait(self) -> None:
        """Return when nothing is being saved any more."""
        if self._saving is not None:
            self._saving.join()
            self._saving = None

    def may_stop(self) -> bool:
        """Whether a stop now loses nothing: the state is saved, or the stage never asked when to save."""
        return self._saved_for_stop or not self._asked

    def _save(self, step: int, folder: Path) -> None:
        try:
            self._store.save_checkpoint(self._address, step, folder)
        except (OSError, StoreError) as error:
            self.problems.append(f"checkpoint after step {step} not saved: {error}")
            self._log.warning("%s: %s", self._address, self.problems[-1])


@final
class Steps:
    """The `orchestrator.stage.Progress` of one try: keeps the newest report, and ends the stage on a stop."""

    def __init__(
        self,
        report: Callable[[Report], None],
        stop: threading.Event,
        checkpoints: Checkpoints,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._stop = stop
        self._checkpoints = checkpoints
        self._clock = clock
        self._next = clock()
        self._moves = 0
        self._at: tuple[int, int] | None = None

    def __call__(self, done: int, total: int, **metrics: float) -> None:
        if (done, total) != self._at:
            self._at = (done, total)
            self._moves += 1
        now = self._clock()
        if now >= self._next:
            self._next = now + REPORT_SECONDS
            numbers = {name: float(value) for name, value in metrics.items()}
            self._report(Report(int(done), int(total), numbers, self._moves))
        if self._stop.is_set() and self._checkpoints.may_stop():
            self._checkpoints.wait()
            raise Stop
