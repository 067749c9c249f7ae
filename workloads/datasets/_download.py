"""Files of data sets below the data root: found, or downloaded on first use."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from workloads.datasets._progress import LOG, alone, tell
from workloads.datasets._root import VARIABLE, data_root

PIECE = 2**20
SILENCE_SECONDS = 30


@dataclass(frozen=True)
class Remote:
    """A file that can be downloaded."""

    name: str
    """Where it goes, below the data root."""
    urls: tuple[str, ...]
    """Where it is; the second if the first fails."""
    md5: str = ""
    """Empty: its publisher states none."""
    unpack: bool = False
    """Whether it is an archive, to be unpacked where it lies."""
    renamed: tuple[str, str] | None = None
    """A folder of the archive, and what it is called after unpacking."""


def files_of(dataset: str, needed: Sequence[str], remotes: Callable[[], Sequence[Remote]]) -> list[Path]:
    """The ``needed`` files and folders below the data root, in order; downloaded if one is missing.

    Where ``a`` is needed ``a.gz`` will do. An archive that lies in its place already is unpacked, not
    downloaded. ``remotes`` is asked only if something is missing.

    Raises:
        RuntimeError: something is missing and cannot be downloaded; names it and where to put it.
    """
    found = [_lying(name) for name in needed]
    if None in found:
        with alone(f"download-{dataset}"):
            found = [_lying(name) for name in needed]
            if None in found:
                found = _fetched(dataset, needed, remotes())
    return [path for path in found if path]


def _lying(name: str) -> Path | None:
    """Where ``name`` lies below the data root, plain or packed."""
    plain = data_root() / name
    return next((path for path in (plain, plain.with_name(plain.name + ".gz")) if path.exists()), None)


def _fetched(dataset: str, needed: Sequence[str], remotes: Sequence[Remote]) -> list[Path | None]:
    """The paths of ``needed`` after every missing one of ``remotes`` was downloaded and unpacked."""
    root = data_root()
    why = "they do not hold it"
    try:
        for remote in remotes:
            _place(dataset, remote)
    except OSError as error:
        why = str(error)
    found = [_lying(name) for name in needed]
    missing = [name for name, path in zip(needed, found, strict=True) if path is None]
    if missing:
        archives = " and ".join(str(root / remote.name) for remote in remotes)
        raise RuntimeError(
            f"{dataset}: {', '.join(missing)} must be in {root} and could not be downloaded ({why}); "
            f"put {archives} there by hand, or name the folder that has them with --data or {VARIABLE}"
        )
    return found


def _place(dataset: str, remote: Remote) -> None:
    """Download a file, if it is not there, and unpack it, if it is an archive.

    Raises:
        OSError: it can be had nowhere, or is not what it should be.
    """
    path = data_root() / remote.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _download(dataset, remote, path)
    if remote.unpack:
        LOG.info("%s: unpacking %s", dataset, path)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".unpacking-") as scratch:
            _unpack(path, scratch)
            for item in sorted(Path(scratch).iterdir()):
                old, new = remote.renamed or ("", "")
                place = path.parent / (new if item.name == old else item.name)
                if not place.exists():
                    item.rename(place)


def _unpack(path: Path, folder: str) -> None:
    """The members of an archive in ``folder``; none can get out of it.

    Raises:
        OSError: it is damaged.
    """
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as zipped:
                zipped.extractall(folder)
        else:
            with tarfile.open(path) as packed:
                packed.extractall(folder, filter="data")
    except (EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
        raise OSError(f"{path} is no whole archive, delete it ({type(error).__name__})") from error


def _download(dataset: str, remote: Remote, path: Path) -> None:
    """The file of ``remote`` at ``path``, whole or not at all.

    Raises:
        OSError: none of its addresses has it; the reason of the last.
    """
    part = path.with_name(path.name + ".part")
    failed = OSError(f"nobody offers {path.name}")
    for url in remote.urls:
        try:
            found = _copied(url, part, f"{dataset}: downloading {path.name}")
        except OSError as error:
            failed = error
            continue
        if remote.md5 in ("", found):
            part.replace(path)
            return
        part.unlink()
        failed = OSError(f"{url} gave a file with the md5 {found} instead of {remote.md5}")
    raise failed


def _copied(url: str, path: Path, what: str) -> str:
    """The md5 of what is at ``url``, once it lies at ``path``."""
    digest = hashlib.md5(usedforsecurity=False)  # what the publishers state, against damage on the way
    asked = Request(url, headers={"User-Agent": "sparsweep"})
    LOG.info("%s from %s", what, url)
    with urlopen(asked, timeout=SILENCE_SECONDS) as answer, path.open("wb") as file:
        total, done = int(answer.headers.get("Content-Length") or 0), 0
        while piece := answer.read(PIECE):
            file.write(piece)
            digest.update(piece)
            tell(what, done, done + len(piece), total)
            done += len(piece)
    if total and done < total:
        raise OSError(f"{url} broke off after {done} of {total} bytes")
    return digest.hexdigest()
