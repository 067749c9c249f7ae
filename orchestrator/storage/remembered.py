"""Small objects of a remote bucket as they were read last, kept on this machine.

A listing tells for each object a tag that changes whenever the object does. What is kept under the same tag
need not be asked for again: a report on ten thousand outputs then costs a few listings.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from secrets import randbelow
from typing import final

from orchestrator.storage.scratch import Scratch

#: About a third of a million manifests.
LIMIT_BYTES = 1 << 30
#: What is kept is looked through after this share of the limit was added, by however many processes.
SHARE = 20


@final
class Remembered:
    """Texts below ``root``, of together about ``limit_bytes``; the longest kept are dropped first.

    Nothing here fails a caller: what cannot be kept is asked for again.
    """

    def __init__(self, root: Path, scratch: Scratch, limit_bytes: int = LIMIT_BYTES) -> None:
        self.root = root
        self._scratch = scratch
        self._limit = limit_bytes
        # anywhere, so that many processes that add little each look through it as often as one that adds much
        self._added = randbelow(max(1, limit_bytes // SHARE))

    def get(self, key: str, tag: str) -> bytes | None:
        """What was kept of ``key`` under ``tag``, whole; else None."""
        try:
            head, _, text = self._path(key).read_bytes().partition(b"\n")
        except OSError:
            return None
        return text if head == _head(tag, text) else None

    def keep(self, key: str, tag: str, text: bytes) -> None:
        """Keep ``text`` as what ``key`` held under ``tag``."""
        path = self._path(key)
        with suppress(OSError):
            written = self._scratch.file()
            try:
                written.write_bytes(_head(tag, text) + b"\n" + text)
                path.parent.mkdir(parents=True, exist_ok=True)
                written.replace(path)
            finally:
                written.unlink(missing_ok=True)
            self._added += len(text)
            if self._added * SHARE >= self._limit:
                self._added = 0
                self._trim()

    def _trim(self) -> None:
        found = []
        for path in self.root.glob("*/*"):
            with suppress(OSError):  # another process is trimming too
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return self.root / name[:2] / name


def _head(tag: str, text: bytes) -> bytes:
    """The line before ``text``: what a broken disk or another hand changed has another sha256."""
    return f"{hashlib.sha256(tag.encode()).hexdigest()} {hashlib.sha256(text).hexdigest()}".encode()
