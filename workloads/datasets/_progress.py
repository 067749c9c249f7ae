"""What takes a while with data sets says so: in the log, and one process of a machine at a time."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from workloads.datasets._root import cache_root

LOG = logging.getLogger("sparsweep.data")
PATIENCE_SECONDS = 0.1


def tell(what: str, before: int, done: int, total: int) -> None:
    """Log how much of ``what`` is done whenever a tenth of it came to an end since ``before``."""
    if total and done * 10 // total > before * 10 // total:
        LOG.info("%s: %d %%", what, done * 100 // total)


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Inside, no other process of this machine is in such a block for the same ``what`` (a file name)."""
    folder = cache_root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    # The file stays: who removed it would lock another one than those who wait for it.
    with (folder / what).open("w") as file:
        waits = False
        while not _taken(file.fileno()):
            if not waits:
                LOG.info("%s: another process makes it ready, this one waits", what)
            waits = True
            time.sleep(PATIENCE_SECONDS)
        yield


def _taken(descriptor: int) -> bool:
    """Whether the lock could be had; closing the file gives it back."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
