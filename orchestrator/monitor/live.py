"""What a person sees while a sweep runs: a picture that follows it, or lines where there is no terminal."""

from __future__ import annotations

import os
import sys
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TextIO, final

from rich.console import Console, RenderableType
from rich.live import Live

from orchestrator.monitor.durations import took
from orchestrator.monitor.screen import counts, picture
from orchestrator.monitor.tally import Tally

Event = Mapping[str, Any]

REFRESHES_PER_SECOND = 4
#: Lines of finished stages at most so many a second; for the rest a summary, at most this often.
LINES_PER_SECOND = 3
SUMMARY_SECONDS = 5.0
#: A sign of life after so long without a line.
QUIET_SECONDS = 60.0


class View(AbstractContextManager["View"]):
    """Follows a run while its block lasts: it is called with every event, from any thread."""

    @abstractmethod
    def __call__(self, event: Event) -> None:
        """Take notice of an event."""


@final
class LiveView(View):
    """A picture at the bottom of the terminal, drawn a few times a second; gone at the end of the block."""

    def __init__(self, tally: Tally, clock: Callable[[], float] = time.time) -> None:
        self._tally = tally
        self._clock = clock
        self._lock = threading.Lock()
        self._console = Console(stderr=True)
        self._live = Live(
            console=self._console,
            get_renderable=self._picture,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # what goes into a pipe is data
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._tally.apply(event)

    def _picture(self) -> RenderableType:
        with self._lock:
            found = self._tally.snapshot(self._clock())
        return picture(found, self._console.height)


@final
class PlainView(View):
    """Lines: failures at once, finished stages while they are few, now and then how far everything is."""

    def __init__(self, tally: Tally, out: TextIO, clock: Callable[[], float] = time.time) -> None:
        self._tally = tally
        self._out = out
        self._clock = clock
        self._lock = threading.Lock()
        self._labels: dict[str, str] = {}
        self._second = 0
        self._lines = 0
        self._left_out = 0
        self._summary = self._last = clock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what was said standing."""

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._tally.apply(event)
            self._tell(event)
            now = self._clock()
            if (
                self._left_out and now >= self._summary + SUMMARY_SECONDS
            ) or now >= self._last + QUIET_SECONDS:
                self._summarise()

    def _tell(self, event: Event) -> None:
        kind, address = event.get("kind"), str(event.get("address", ""))
        label = str(event.get("label") or self._labels.get(address) or event.get("node") or address)
        if kind == "started":
            self._labels[address] = label
        elif kind == "finished":
            self._labels.pop(address, None)
            if self._may_speak():
                self._say(f"done {label} ({took(float(event.get('seconds', 0.0)))})")
        elif kind == "failed":
            self._say(f"FAILED {label}: {event.get('reason', '')}")
        elif kind == "retried":
            self._say(f"again {label}: {event.get('reason', '')}")

    def _may_speak(self) -> bool:
        """Whether there is still room for a line in this second."""
        if self._second != int(self._clock()):
            self._second, self._lines = int(self._clock()), 0
        self._lines += 1
        self._left_out += self._lines > LINES_PER_SECOND
        return self._lines <= LINES_PER_SECOND

    def _summarise(self) -> None:
        self._left_out, self._summary = 0, self._clock()
        self._say(counts(self._tally.snapshot(self._summary)))

    def _say(self, text: str) -> None:
        self._last = self._clock()
        done, total = self._tally.progress()
        width = len(f"{total:,}")
        print(f"[{done:>{width},}/{total:,}] {' '.join(text.split())}", file=self._out, flush=True)


def watch(tally: Tally, err: TextIO, plain: bool = False) -> View:
    """The view that suits ``err``: the live one on a terminal that can draw, unless ``plain``."""
    if plain or not err.isatty() or os.environ.get("TERM") == "dumb":
        return PlainView(tally, err)
    return LiveView(tally)
