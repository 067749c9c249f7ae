"""The store: where outputs, checkpoints and runs live. `open_store` is the door."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from orchestrator.errors import InputError
from orchestrator.storage.base import Bucket, Entry, StoreConfig
from orchestrator.storage.local import LocalBucket
from orchestrator.storage.manifest import Manifest, StoredFile
from orchestrator.storage.store import Draft, Store

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def open_store(config: StoreConfig | str | Path, *, write: bool = True) -> Store:
    """The store at a folder (relative: to the current directory) or at ``s3://bucket/prefix``.

    Nothing is made before the first write. With ``write=False`` a folder that may only be read will do.

    Raises:
        InputError: the uri is empty or of an unknown scheme, or the folder cannot be one, or may not be used.
    """
    given = config if isinstance(config, StoreConfig) else StoreConfig(str(config))
    scheme = SCHEME.match(given.uri)
    if scheme is None:
        folder = _folder(given.uri, write)
        return Store(LocalBucket(folder), replace(given, uri=str(folder)))
    if scheme[1] != "s3":
        raise InputError(
            f"store {given.uri}: unknown scheme {scheme[1]!r}; use a folder or s3://bucket/prefix"
        )
    from orchestrator.storage.s3 import S3Bucket  # here, because boto3 takes 0.3 s to import

    endpoint = given.endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if "@" in (endpoint or ""):
        raise InputError(
            f"store {given.uri}: its endpoint holds a login, which no request uses; leave credentials to the"
            " environment or a profile"
        )
    known = replace(given, endpoint=endpoint or None)
    bucket = S3Bucket(known)
    bucket.check()
    return Store(bucket, known)


def _folder(uri: str, write: bool) -> Path:
    """The absolute folder of ``uri`` after checking that it may be used."""
    if not uri.strip():
        raise InputError(
            "store: a store must be named, got an empty text; use a folder or s3://bucket/prefix"
        )
    try:
        folder = Path(uri).expanduser().absolute()
        nearest = next(place for place in (folder, *folder.parents) if _is_there(place))
        is_folder = nearest.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"store {uri!r}: cannot be used as a folder: {error}; name another") from error
    if not is_folder:
        raise InputError(f"store {folder}: {nearest} is a file, not a folder; name another place")
    wanted = os.R_OK | os.X_OK | (os.W_OK if write else 0)
    if not os.access(nearest, wanted, effective_ids=os.access in os.supports_effective_ids):
        verb = "write to" if write else "read"
        raise InputError(
            f"store {folder}: no permission to {verb} {nearest}; ask for it or name another place"
        )
    return folder


def _is_there(place: Path) -> bool:
    """Whether something is there, a link to nowhere included; a name that cannot be one raises."""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    return True


__all__ = ["Bucket", "Draft", "Entry", "Manifest", "Store", "StoreConfig", "StoredFile", "open_store"]
