"""Copies on this machine of what lies in a remote bucket, shared by its processes.

The longest unused are dropped first. Every file appears by one rename, so what is there is whole. It is not
trusted more than the bucket is: the store verifies a copy as it verifies an original.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import final

from orchestrator.storage.scratch import Scratch

LIMIT_BYTES = 20 << 30
#: What was asked for so recently may be being read.
IN_USE_SECONDS = 3600.0
#: The cache is looked through after this share of the limit was added.
SHARE = 20


@final
class Cache:
    """Folders below ``root``, of together about ``limit_bytes``."""

    def __init__(self, root: Path, scratch: Scratch, limit_bytes: int = LIMIT_BYTES) -> None:
        self.root = root
        self._scratch = scratch
        self._limit = limit_bytes
        self._added = limit_bytes  # so that the first file looks through what is there

    def folder(self, prefix: str) -> Path:
        """The folder for ``prefix``, noted as used now."""
        folder = self.root / prefix
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        return folder

    def fill(self, path: Path, download: Callable[[Path], None]) -> None:
        """Make ``path`` what ``download`` writes to the path it is given; on a KeyError there is nothing."""
        written = self._scratch.file()
        try:
            with suppress(KeyError):
                download(written)
                written.chmod(0o444)
                self._added += written.stat().st_size
                path.parent.mkdir(parents=True, exist_ok=True)
                written.replace(path)
                return
            path.unlink(missing_ok=True)
        finally:
            written.unlink(missing_ok=True)

    def trim(self, now: float | None = None) -> None:
        """Drop the folders that were not used for longest, if there may be too much."""
        if self._added * SHARE < self._limit:
            return
        self._added = 0
        recent = (time.time() if now is None else now) - IN_USE_SECONDS
        folders = sorted((path.stat().st_mtime, path) for path in self.root.glob("*/*/*") if path.is_dir())
        sizes = {path: _size(path) for _, path in folders}
        total = sum(sizes.values())
        for used, path in folders:
            if total <= self._limit or used > recent:
                return
            gone = self._scratch.file()
            with suppress(OSError):  # another process is trimming too
                path.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)
            total -= sizes[path]


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            status = path.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total
