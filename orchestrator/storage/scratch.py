"""Folders for what is not published yet, swept when the process that made them is dead.

Each process has one folder below a shared root and holds a lock on a file in it. The kernel lets go of the
lock when the process dies, in whatever way, also where several containers share the folder and process ids
mean nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from orchestrator.storage.disk import explained

#: A folder younger than this may be between its creation and its lock.
SETTLED_SECONDS = 60.0
#: How many empty folders are kept for the next draft.
SPARE = 8


class Scratch:
    """The folder of this process below ``root``, made when first needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._mine: Path | None = None
        self._spare: list[Path] = []
        self._process = 0
        self._making = threading.Lock()

    def new(self) -> Path:
        """A new empty folder."""
        with explained(str(self.root), "write"):
            # A used name never comes back: whoever still writes to it must not find a folder there.
            with suppress(IndexError, OSError):
                return self._spare.pop().rename(self.file())
            folder = self.file()
            folder.mkdir()
            return folder

    def free(self, folder: Path) -> None:
        """Delete ``folder``, which `new` returned, and all in it; nothing happens if it was moved away."""
        with suppress(OSError):
            if any(folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)
            elif len(self._spare) < SPARE:  # making a folder costs up to 0.3 ms, renaming one 0.01 ms
                self._spare.append(folder)
            else:
                folder.rmdir()

    def file(self) -> Path:
        """A path that no one else uses, not made yet."""
        return self.mine() / token_hex(8)

    def mine(self) -> Path:
        """The folder of this process; the first call sweeps what dead processes left."""
        mine = self._mine
        if mine is None or self._process != os.getpid() or not mine.is_dir():
            with self._making:
                mine = self._mine
                if mine is None or self._process != os.getpid() or not mine.is_dir():
                    self._mine = mine = self._make()
                    self._process = os.getpid()
        return mine

    def _make(self) -> Path:
        folder = self.root / f"{os.getpid()}-{token_hex(4)}"
        folder.mkdir(parents=True)
        held = _lock(folder / "lock", os.O_CREAT)
        weakref.finalize(self, _leave, folder, held, os.getpid())
        for dead in self.dead((folder / "lock").stat().st_mtime):
            self.sweep(dead)
        return folder

    def dead(self, now: float) -> list[Path]:
        """The folders that dead processes left; ``now`` by the file server's own clock."""
        found = []
        for folder in self.root.iterdir() if self.root.is_dir() else ():
            # not being made at the moment, nor removed by someone else, nor a folder that is not ours
            with suppress(OSError):
                settled = now - (folder / "lock").stat().st_mtime >= SETTLED_SECONDS
                held = _lock(folder / "lock") if settled else None
                if held is not None:
                    os.close(held)
                    found.append(folder)
        return found

    def sweep(self, folder: Path) -> bool:
        """Remove one of the `dead` folders; whether it is gone."""
        held = _lock(folder / "lock")
        if held is None:
            return not folder.exists()
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)
        return True


def _lock(path: Path, flags: int = 0) -> int | None:
    """The open file of a lock that was free, or None: held by someone, or the file system knows no locks."""
    try:
        opened = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o644)
    except OSError:
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        return None
    return opened


def _leave(folder: Path, held: int | None, process: int) -> None:
    if os.getpid() == process:  # not in a forked child
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)
