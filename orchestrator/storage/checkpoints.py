"""Checkpoints of running stages: complete or absent, the last two kept.

The files lie below ``checkpoints/<address>/<step>-<attempt>/``. ``<step>-<attempt>.json`` beside that folder
is written last, names every file with its size and sha256, and alone says that the checkpoint exists.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from secrets import token_hex

from orchestrator.errors import StoreError
from orchestrator.storage.base import Bucket
from orchestrator.storage.files import collect, seal
from orchestrator.storage.manifest import files_from_json, files_to_json
from orchestrator.storage.untrusted import read_json

KEPT = 2
MARKER = re.compile(r"(\d{9,})-([0-9a-f]+)\.json")


def latest(bucket: Bucket, address: str) -> tuple[int, Path] | None:
    """The step and folder of the newest checkpoint of ``address`` that is whole."""
    for key in reversed(_markers(bucket, address)):
        try:
            files = files_from_json(read_json(bucket.get(key)))
        except (KeyError, ValueError):  # removed meanwhile, or damaged
            continue
        folder, problem = collect(bucket, _folder(key), files, hashes=True)
        if problem is None:
            return _step(key), folder
    return None


def save(bucket: Bucket, address: str, step: int, folder: Path) -> None:
    """Store ``folder`` as the checkpoint after ``step`` steps, then remove all but the last two."""
    name = f"checkpoints/{address}/{step:09d}-{token_hex(6)}"
    try:
        files = seal(folder)
    except ValueError as error:
        raise StoreError(f"{name}: this checkpoint cannot be stored: {error}") from error
    bucket.upload(folder, f"{name}/")
    bucket.put(f"{name}.json", json.dumps(files_to_json(files)).encode())
    for key in _markers(bucket, address)[:-KEPT]:
        bucket.delete([key])
        bucket.remove(_folder(key))


def _markers(bucket: Bucket, address: str) -> list[str]:
    """The keys of the markers, oldest step first."""
    top = f"checkpoints/{address}/"
    keys = [entry.key for entry in bucket.list(top) if MARKER.fullmatch(entry.key[len(top) :])]
    return sorted(keys, key=lambda key: (_step(key), key))


def _step(key: str) -> int:
    return int(key.rpartition("/")[2].partition("-")[0])


def _folder(key: str) -> str:
    return f"{key.removesuffix('.json')}/"
