"""The files of a payload: what a folder holds, and whether it is what was recorded."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from orchestrator.storage.base import Bucket
from orchestrator.storage.hashing import sha256_of
from orchestrator.storage.manifest import StoredFile, check_name


def seal(folder: Path) -> dict[str, StoredFile]:
    """What ``folder`` holds, by name, after every file was made read-only.

    Raises:
        ValueError: it holds something that is no plain file, or a name that cannot be stored.
    """
    sealed, waiting = {}, [("", str(folder))]
    while waiting:
        above, path = waiting.pop()
        with os.scandir(path) as found:
            for item in found:
                name = above + item.name
                if item.is_dir(follow_symlinks=False):
                    waiting.append((f"{name}/", item.path))
                elif item.is_file(follow_symlinks=False):
                    Path(item.path).chmod(0o444)
                    size = item.stat(follow_symlinks=False).st_size
                    sealed[check_name(name)] = StoredFile(size, sha256_of(item.path, size))
                else:
                    raise ValueError(f"an output holds plain files and folders only, {name!r} is neither")
    return sealed


def collect(
    bucket: Bucket, prefix: str, files: Mapping[str, StoredFile], *, hashes: bool, fresh: bool = False
) -> tuple[Path, str | None]:
    """The folder with ``files`` from below ``prefix``, and what `difference` says of it.

    ``fresh``: not from a copy on this machine.
    """
    folder = bucket.download(prefix, files, fresh=fresh)
    problem = difference(folder, files, hashes=hashes)
    if problem is None or fresh:
        return folder, problem
    return collect(bucket, prefix, files, hashes=True, fresh=True)  # only the copy may be damaged


def difference(folder: Path, files: Mapping[str, StoredFile], *, hashes: bool) -> str | None:
    """What in ``folder`` is not as ``files`` says, or None; ``hashes``: read the contents too.

    Files that ``files`` does not name do not matter.
    """
    for name, recorded in sorted(files.items()):
        try:
            if problem := _difference(f"{folder}/{name}", recorded, hashes):
                return f"{name} {problem}"
        except (FileNotFoundError, NotADirectoryError):  # perhaps only since: somebody else may delete it
            return f"{name} is missing"
    return None


def _difference(path: str, recorded: StoredFile, hashes: bool) -> str | None:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        return "is no plain file"
    if status.st_size != recorded.size:
        return f"has {status.st_size} bytes instead of {recorded.size}"
    if hashes and (sha256 := sha256_of(path, status.st_size)) != recorded.sha256:
        return f"has sha256 {sha256} instead of {recorded.sha256}"
    return None
