"""What a disk refuses, said as a `StoreError`: where, what, what instead."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.errors import StoreError

FULL = "make room there and run the same command again; what is finished is kept"
FORBIDDEN = "ask who may write there, or name another store"
ADVICE = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.EROFS: FORBIDDEN,
    errno.EXDEV: "a store must lie on one file system; link its top folder instead of one inside",
    errno.ENOTDIR: "a file is in the way; move it or name another store",
}


@contextmanager
def explained(place: str, verb: str) -> Iterator[None]:
    """Turn an `OSError` of the block into a `StoreError` about ``place``."""
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, "run the same command again when it can be reached")
        raise StoreError(f"{place}: cannot {verb}: {error.strerror or error}; {advice}") from error
