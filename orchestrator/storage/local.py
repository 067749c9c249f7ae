"""A bucket that is a folder: a key is a path in it.

Objects and folders of files appear by one rename out of ``scratch/``, which lies inside the store so that it
is on the same file system. Nothing is flushed to the disk one by one (that would cost milliseconds a stage):
a killed process loses nothing, and what a power cut leaves half-written has not the size or sha256 of its
manifest.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, final

from orchestrator.errors import StoreError
from orchestrator.storage.base import Bucket, Entry
from orchestrator.storage.disk import explained
from orchestrator.storage.hashing import sha256_of
from orchestrator.storage.scratch import Scratch

SCRATCH = "scratch"


@final
class LocalBucket(Bucket):
    """The folder ``root``; it is made with the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._top = str(root)
        self._scratch = Scratch(root / SCRATCH)

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalBucket, (self.root,)

    @property
    def uri(self) -> str:
        return self._top

    def list(self, prefix: str) -> Iterator[Entry]:
        folder, slash, start = prefix.rpartition("/")
        self._refuse_links(folder)
        with self._explained("list", prefix):
            waiting = [(folder + slash, start)]
            while waiting:
                folder, start = waiting.pop()
                for found in self._entries(folder):
                    if not found.name.startswith(start) or (not folder and found.name == SCRATCH):
                        continue
                    # a link would lead out of the store, and what is listed may be deleted
                    if found.is_dir(follow_symlinks=False):
                        waiting.append((f"{folder}{found.name}/", ""))
                    elif found.is_file(follow_symlinks=False):
                        with suppress(FileNotFoundError):  # deleted since
                            status = found.stat(follow_symlinks=False)
                            # the second: a file may have been written long before it came here
                            written = max(status.st_mtime, status.st_ctime)
                            yield Entry(folder + found.name, status.st_size, written)

    def entries(self, prefix: str) -> Sequence[Entry]:
        return list(self.list(prefix))

    def _refuse_links(self, folder: str) -> None:
        path = self._top
        for part in folder.split("/"):
            path = f"{path}/{part}"
            if part and os.path.islink(path):  # noqa: PTH114 - a third of the time of a Path
                raise StoreError(f"{path}: a link leads out of the store; link its top folder instead")

    def _entries(self, folder: str) -> Iterable[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self._top}/{folder}") as found:
                return list(found)
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def holders(self, prefix: str, name: str) -> dict[str, str]:
        found = {}
        with self._explained("list", prefix):
            for item in self._entries(prefix):
                with suppress(FileNotFoundError, NotADirectoryError):
                    if os.stat(f"{item.path}/{name}").st_size:  # noqa: PTH116 - half the time of a Path
                        found[item.name] = ""
        return found

    def get(self, key: str, tag: str = "") -> bytes:
        with self._explained("read", key):
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise KeyError(key) from None

    def fetch(self, key: str, path: Path) -> None:
        with self._explained("read", key):
            source = self._path(key)
            if source.is_symlink() or not source.is_file():
                raise KeyError(key)
            shutil.copyfile(source, path)

    def sha256(self, key: str) -> str:
        with self._explained("read", key):
            try:
                path = f"{self._top}/{key}"
                return sha256_of(path, Path(path).stat().st_size)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise KeyError(key) from None

    def put(self, key: str, data: bytes) -> None:
        with self._explained("write", key):
            written = self._scratch.file()
            try:
                written.write_bytes(data)
                self._move(written, key)
            except BaseException:
                written.unlink(missing_ok=True)
                raise

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            with self._explained("delete", key):
                path = self._path(key)
                path.unlink(missing_ok=True)
                self._prune(path.parent)

    def remove(self, prefix: str) -> None:
        with self._explained("delete", prefix):
            path, away = self._path(prefix), self._scratch.file()
            try:
                path.rename(away)  # so that nobody sees half of it
            except FileNotFoundError:
                return
            shutil.rmtree(away, ignore_errors=True)  # the rest is swept with the scratch folder
            self._prune(path.parent)

    def upload(self, folder: Path, prefix: str) -> None:
        with self._explained("write", prefix):
            try:
                self._move(folder, prefix)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                near = self._scratch.file()
                shutil.copytree(folder, near)
                self._move(near, prefix)
                shutil.rmtree(folder, ignore_errors=True)

    def download(self, prefix: str, names: Collection[str], *, fresh: bool = False) -> Path:
        return self._path(prefix)

    @property
    def scratch(self) -> Scratch:
        return self._scratch

    def now(self) -> float:
        probe = self._scratch.root / token_hex(8)
        try:
            probe.parent.mkdir(parents=True, exist_ok=True)
            probe.touch()
        except OSError:  # a store that may only be read
            return time.time()
        modified = probe.stat().st_mtime
        probe.unlink()
        return modified

    def _path(self, key: str) -> Path:
        return Path(f"{self._top}/{key}")

    def _move(self, source: Path, key: str) -> None:
        """Rename ``source`` to ``key``, making its folders again if someone prunes them meanwhile."""
        target = self._path(key)
        for _ in range(100):
            with suppress(FileNotFoundError):
                source.replace(target)
                return
            source.lstat()
            target.parent.mkdir(parents=True, exist_ok=True)
        raise StoreError(f"{target}: its folder keeps vanishing; does something else delete in this store?")

    def _prune(self, folder: Path) -> None:
        """Remove ``folder`` and those above it while they are empty."""
        with suppress(OSError):
            while folder != self.root:
                folder.rmdir()
                folder = folder.parent

    def _explained(self, verb: str, key: str) -> AbstractContextManager[None]:
        return explained(f"{self._top}/{key}", verb)
