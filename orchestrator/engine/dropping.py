"""``keep: metrics``: the files of an output go when nothing that is to run reads them; its numbers stay.

A run of a part of a sweep drops nothing, because the rest may read it. Nor is anything dropped while another
driver is at work on the store, which may be about to read it: whoever is the last drops the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from orchestrator.errors import StoreError
from orchestrator.plan import Plan
from orchestrator.plan.payload import Readers, droppable
from orchestrator.storage import Store
from orchestrator.storage.beats import hear


def drops(plan: Plan) -> bool:
    """Whether runs of ``plan`` drop files."""
    return plan.sweep.keep == "metrics" and not plan.partial


def drop_unread(plan: Plan, store: Store, run: str = "") -> int:
    """Drop the files of what nothing missing of ``plan`` reads, if it is to be so; of how many outputs.

    ``run`` is the caller's own: any other driver that is at work stops this.

    Raises:
        StoreError: the store cannot be read or written.
    """
    if not drops(plan):
        return 0
    others = [heard for other, heard in hear(store).items() if other != run]
    if others and any(heard.is_fresh(now) for now in [store.now()] for heard in others):
        return 0
    done = store.done()
    there = {entry.key.split("/")[1] for entry in store.bucket.entries("payload/")}
    unread = droppable(plan, done, dropped=done - there)
    for address in unread:
        store.drop_payload(address)
    return len(unread)


class Dropper:
    """Drops files while a plan is drained, in a thread of its own; what cannot be dropped now stays."""

    def __init__(self, plan: Plan, store: Store, missing: list[int], alone: Callable[[], bool]) -> None:
        self._readers = Readers(plan, missing)
        self._store = store
        self._alone = alone
        self._free: SimpleQueue[str | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def expect(self, stage: int) -> None:
        """``stage`` is to run again."""
        self._readers.expect(stage)

    def finished(self, stage: int) -> None:
        """``stage`` is done."""
        for address in self._readers.finished(stage):
            self._free.put(address)
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep_dropping, name="dropping", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Return when what is free is dropped."""
        if self._thread is not None:
            self._free.put(None)
            self._thread.join()

    def _keep_dropping(self) -> None:
        while (address := self._free.get()) is not None:
            if self._alone():
                with suppress(StoreError):
                    self._store.drop_payload(address)
