"""What is known about one output: the object whose presence means *done*.

Nothing in it is trusted when it is read: its own sha256, its types, and every address and name in it are
checked first.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.storage.untrusted import read_json

FORMAT = 1
ADDRESS = re.compile(r"[0-9a-f]{16}")
ATTEMPT = re.compile(r"[0-9a-f]{4,32}")
SHA256 = re.compile(r"[0-9a-f]{64}")
DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """The size in bytes and the sha256 of one file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """One output: what made it, from what, the numbers, and what its files must be."""

    address: str
    attempt: str
    """The folder of the payload: ``payload/<address>/<attempt>/``."""
    stage: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Role -> ``{address, part (if any), digest}``, or a list of these."""
    text: str = ""
    """The canonical text that `address` is the hash of."""
    version: int = 1
    metrics: Mapping[str, float] = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)
    """Seconds, bytes, latencies: true of this attempt only."""
    warnings: Sequence[str] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    digest: str = ""
    """One hash of all files: what a child records of its parents."""
    commit: str | None = None
    dirty: bool | None = None
    """Whether the working tree differed from `commit`."""
    packages: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    device: str = "cpu"
    cpus: float = 1.0
    started: float = 0.0
    finished: float = 0.0
    node: str = ""
    point: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> bytes:
        """The bytes of ``manifest.json``.

        Raises:
            ValueError: a number is NaN or infinite, or a file name cannot be stored.
            TypeError: a value has no JSON form.
        """
        data = {name: getattr(self, name) for name in SHAPES}
        data |= {"warnings": list(self.warnings), "files": files_to_json(self.files)}
        text = json.dumps(data, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
        return text[:-1] + _check_of(text)

    @classmethod
    def from_json(cls, text: bytes | str) -> Manifest:
        """The manifest that ``text`` holds; keys it does not know are left out.

        Raises:
            ValueError: it is none, was changed after it was written, or names a file outside its folder.
        """
        given = text.encode() if isinstance(text, str) else text
        data = read_json(given)
        if not isinstance(data, dict):
            raise ValueError(f"a manifest is a JSON object, got a {type(data).__name__}")
        if data.get("format") != FORMAT:
            raise ValueError(f"its format is {data.get('format')!r}, this version reads {FORMAT}")
        if "check" in data and not _is_unchanged(given):
            raise ValueError("it was changed after it was written: its own sha256 differs")
        known = {name: data[name] for name in SHAPES if name in data}
        for name, shape in SHAPES.items():
            if name in REQUIRED and name not in known:
                raise ValueError(f"it has no {name!r}")
            if name in known and not isinstance(known[name], shape):
                raise ValueError(f"{name!r} is a {type(known[name]).__name__}")
        for name, pattern in (("address", ADDRESS), ("attempt", ATTEMPT)):
            if not pattern.fullmatch(known[name]):
                raise ValueError(f"{name!r} is {known[name]!r}")
        _check_contents(known)
        return cls(**(known | {"files": files_from_json(known["files"])}))


NUMBER = (int, float)
SHAPES: Mapping[str, type | tuple[type, ...]] = {
    "address": str,
    "attempt": str,
    "stage": str,
    "fields": dict,
    "inputs": dict,
    "text": str,
    "version": int,
    "metrics": dict,
    "measured": dict,
    "warnings": list,
    "fingerprints": dict,
    "files": dict,
    "digest": str,
    "commit": (str, type(None)),
    "dirty": (bool, type(None)),
    "packages": dict,
    "host": str,
    "device": str,
    "cpus": NUMBER,
    "started": NUMBER,
    "finished": NUMBER,
    "node": str,
    "point": dict,
    "format": int,
}
REQUIRED = ("address", "attempt", "stage", "files")


def _check_of(text: bytes) -> bytes:
    """The end of a manifest whose text is ``text`` without it."""
    return f', "check": "{hashlib.sha256(text).hexdigest()}"}}'.encode()


#: Every end is as long as this one.
CHECK_BYTES = len(_check_of(b""))


def _is_unchanged(text: bytes) -> bool:
    return text[-CHECK_BYTES:] == _check_of(text[:-CHECK_BYTES] + b"}")


def _check_contents(data: Mapping[str, Any]) -> None:
    """Refuse values that no stage can have left, before anything counts with them or follows them.

    Raises:
        ValueError: there is one.
    """
    for name in ("metrics", "measured"):
        for key, value in data.get(name, {}).items():
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise ValueError(f"{name!r} has {key!r}: {value!r}, which is no number")
    for name in ("fingerprints", "packages"):
        if not all(isinstance(value, str) for value in data.get(name, {}).values()):
            raise ValueError(f"{name!r} has something that is no text")
    if not all(isinstance(warning, str) for warning in data.get("warnings", ())):
        raise ValueError("'warnings' has something that is no text")
    for role, given in data.get("inputs", {}).items():
        check_name(role)
        for read in given if isinstance(given, list) else [given]:
            _check_read(role, read)


def _check_read(role: str, read: Any) -> None:
    """What a manifest says of one input: an address, a digest, and maybe a part."""
    match read:
        case {"address": str(address), "digest": str()} if ADDRESS.fullmatch(address):
            if "part" in read:
                check_name(str(read["part"]))
        case _:
            raise ValueError(f"the input {role!r} is {read!r}")


def check_name(name: str) -> str:
    """``name``, a file's path below its folder.

    Raises:
        ValueError: it is absolute, climbs out with ``..``, has an empty part or a drive, or is not printable.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or DRIVE.match(name) or "\\" in name:
        raise ValueError(f"a file name must stay inside its folder, got {name!r}")
    if not name.isprintable():
        raise ValueError(f"a file name must be printable text, got {name!r}")
    return name


def digest_of(files: Mapping[str, StoredFile]) -> str:
    """The sha256 over the sorted names and their sha256, as ``sha256sum`` would print them."""
    lines = (f"{found.sha256}  {name}\n" for name, found in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def files_to_json(files: Mapping[str, StoredFile]) -> dict[str, dict[str, Any]]:
    """Name -> size and sha256, as data.

    Raises:
        ValueError: a name is none that `check_name` accepts.
    """
    return {check_name(name): {"size": item.size, "sha256": item.sha256} for name, item in files.items()}


def files_from_json(data: Any) -> dict[str, StoredFile]:
    """What `files_to_json` made into data.

    Raises:
        ValueError: it is something else, or a name leaves its folder.
    """
    if not isinstance(data, dict):
        raise ValueError(f"its files are a {type(data).__name__}")
    return {check_name(name): _file(name, item) for name, item in data.items()}


def _file(name: str, data: Any) -> StoredFile:
    match data:
        case {"size": int(size), "sha256": str(sha256)} if size >= 0 and SHA256.fullmatch(sha256):
            return StoredFile(size, sha256)
    raise ValueError(f"the size and sha256 of {name!r} are {data!r}")


assert set(SHAPES) == {item.name for item in dataclasses.fields(Manifest)}
