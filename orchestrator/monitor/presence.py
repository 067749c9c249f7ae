"""Which drivers of a sweep are at work, by their heartbeats and the clock of the store's server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.storage.beats import hear

if TYPE_CHECKING:
    from orchestrator.storage import Store


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver that left a beat."""

    run: str
    host: str
    pid: int
    running: tuple[str, ...]
    """The addresses it said it runs."""
    silent_seconds: float
    """Since its last beat."""
    alive: bool
    """Whether that beat is fresh."""

    def to_json(self) -> dict[str, Any]:
        """It as data."""
        return {
            "run": self.run,
            "host": self.host,
            "pid": self.pid,
            "running": len(self.running),
            "silent_seconds": self.silent_seconds,
            "alive": self.alive,
        }


def drivers_of(store: Store, sweep_name: str) -> Mapping[str, Driver]:
    """The drivers of a sweep that beat, or did until they were gone, by their run; the oldest run first.

    Raises:
        StoreError: the store cannot be read.
    """
    heard = {run: found for run, found in hear(store).items() if found.beat.sweep == sweep_name}
    now = store.now() if heard else 0.0
    return {
        run: Driver(
            run,
            found.beat.process.host,
            found.beat.process.pid,
            found.beat.running,
            max(0.0, now - found.modified),
            found.is_fresh(now),
        )
        for run, found in sorted(heard.items())
    }
