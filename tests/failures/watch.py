"""A reader who looks at a store all the time while it is being written, and verifies whatever appears."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any, Self

from orchestrator.errors import OutputMissing, StoreError
from orchestrator.storage import Store

#: Between two looks, times the requests that a bucket takes at once: to look at a remote one costs more.
EVERY_SECONDS = 0.03


class Watch:
    """What is done must be whole, as it is without any fault, and stay as it was when first seen.

    Not looked at are the addresses ``but``, which a test has damaged.
    """

    def __init__(
        self, open_: Callable[[], Store], expected: Mapping[str, Any] | None, but: Collection[str] = ()
    ) -> None:
        self.problems: list[str] = []
        self.seen: dict[str, str] = {}
        """Address -> the attempt that was done when it was first seen."""
        self.looks = 0
        self._open = open_
        self._expected = expected
        self._but = frozenset(but)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def forget(self, address: str) -> None:
        """``address`` may be made again."""
        self.seen.pop(address, None)

    def _watch(self) -> None:
        store = self._open()
        over = False
        while not over:
            over = self._over.is_set()  # a last look when nobody writes any more
            try:
                self._look(store)
            except StoreError as error:
                self.problems.append(f"a reader got {type(error).__name__}: {error}")
            except Exception as error:
                self.problems.append(f"a reader fell over {error!r}")
                raise
            self._over.wait(EVERY_SECONDS * store.bucket.parallel)

    def _look(self, store: Store) -> None:
        for address in store.done() - self._but - set(self.seen):
            try:
                store.fetch(address)
            except OutputMissing:
                if store.manifest(address) is None:  # a test took it away since
                    continue
                raise
            manifest = store.manifest(address)
            if manifest is None:
                continue
            self.seen[address] = manifest.attempt
            if self._expected is not None:
                wanted = self._expected[address]
                if (manifest.metrics, manifest.digest) != (wanted.metrics, wanted.digest):
                    self.problems.append(f"{manifest.node} at {address} is not what it should be")
        for address, attempt in [*self.seen.items()]:
            now = store.manifest(address)
            if address in self.seen and (now is None or now.attempt != attempt):
                self.problems.append(f"{address} was done and is {'gone' if now is None else 'another'}")
                self.seen.pop(address)
        for key in store.list_keys("checkpoints/"):
            store.latest_checkpoint(key.split("/")[1])
        self.looks += 1
