"""What lies in a store, from listings alone: nothing is opened."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.storage.base import Entry
from orchestrator.storage.manifest import ADDRESS, ATTEMPT
from orchestrator.storage.store import Store

CHECKPOINT = re.compile(r"\d{9,}-[0-9a-f]+")
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Folder:
    """The files that one attempt, or one checkpoint, left below ``prefix``."""

    address: str
    name: str
    """The attempt; of a checkpoint step and attempt."""
    prefix: str
    """Ends with a slash."""
    files: Mapping[str, int]
    """Name -> size in bytes."""
    written: float
    """When its newest file was, by the server's clock."""
    marker: str | None = None
    """Of a checkpoint: the object that says it is complete."""

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum(self.files.values())


@dataclass(frozen=True)
class RunFolder:
    """What one run of a sweep left beside its outputs."""

    sweep: str
    run: str
    size: int
    written: float


@dataclass(frozen=True)
class Inventory:
    """A store at one moment. What changes while it is listed may be in it half."""

    manifests: Mapping[str, Entry]
    """Address -> its manifest."""
    attempts: Mapping[str, Sequence[Folder]]
    """Address -> the payloads below it, whether a manifest names them or not."""
    checkpoints: Mapping[str, Sequence[Folder]]
    runs: Sequence[RunFolder] = ()
    quarantine: Sequence[Entry] = ()
    listed: Mapping[str, str] = field(default_factory=dict)
    """Address -> tag, as `Store.listing` has it."""


def take_stock(store: Store) -> Inventory:
    """What lies in ``store``.

    Payloads are listed before manifests: a payload whose manifest was written meanwhile then has one here.
    """
    attempts = payloads(store.bucket.entries("payload/"))
    checkpoints = saved(store.bucket.entries("checkpoints/"))
    manifests = {}
    for entry in store.bucket.entries("outputs/"):
        match entry.key.split("/"):
            case _, address, name if name == MANIFEST and entry.size and ADDRESS.fullmatch(address):
                manifests[address] = entry
    return Inventory(
        manifests,
        attempts,
        checkpoints,
        runs(store.bucket.list("runs/")),
        list(store.bucket.list("quarantine/")),
        {address: entry.tag for address, entry in manifests.items()},
    )


def payloads(entries: Iterable[Entry]) -> dict[str, list[Folder]]:
    """The attempts below ``payload/``, by address."""
    return _by_address(_folders(entries, ATTEMPT, {}))


def saved(entries: Iterable[Entry]) -> dict[str, list[Folder]]:
    """The checkpoints below ``checkpoints/``, by address; a marker without files is one too."""
    markers: dict[tuple[str, str], Entry] = {}
    inside = []
    for entry in entries:
        match entry.key.split("/"):
            case _, address, name if name.endswith(".json"):
                markers[address, name.removesuffix(".json")] = entry
            case _:
                inside.append(entry)
    return _by_address(_folders(inside, CHECKPOINT, markers))


def runs(entries: Iterable[Entry]) -> list[RunFolder]:
    """The runs below ``runs/``, in the order of their sweeps' names and their time."""
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        parts = entry.key.split("/")
        if len(parts) > 3:  # noqa: PLR2004 - runs/<sweep>/<run>/<file>
            found[parts[1], parts[2]].append(entry)
    return [
        RunFolder(sweep, run, sum(entry.size for entry in inside), max(entry.modified for entry in inside))
        for (sweep, run), inside in sorted(found.items())
    ]


def _folders(
    entries: Iterable[Entry], name: re.Pattern[str], markers: Mapping[tuple[str, str], Entry]
) -> Iterator[Folder]:
    files: dict[tuple[str, str], dict[str, int]] = {place: {} for place in markers}
    written = {place: entry.modified for place, entry in markers.items()}
    prefixes = {place: f"{entry.key.removesuffix('.json')}/" for place, entry in markers.items()}
    for entry in entries:
        match entry.key.split("/", 3):
            case top, address, folder, file:
                place = address, folder
                files.setdefault(place, {})[file] = entry.size
                written[place] = max(written.get(place, 0.0), entry.modified)
                prefixes[place] = f"{top}/{address}/{folder}/"
    for place, inside in files.items():
        if ADDRESS.fullmatch(place[0]) and name.fullmatch(place[1]):
            marker = markers[place].key if place in markers else None
            yield Folder(*place, prefixes[place], inside, written[place], marker)


def _by_address(folders: Iterable[Folder]) -> dict[str, list[Folder]]:
    found: dict[str, list[Folder]] = defaultdict(list)
    for folder in sorted(folders, key=lambda item: (item.address, item.name)):
        found[folder.address].append(folder)
    return dict(found)
