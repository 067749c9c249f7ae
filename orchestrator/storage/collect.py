"""What of a store is of no use any more, and its removal.

Nothing that a driver may be working on is taken: what is younger than an hour by the server's clock stays,
and so does what a live driver says it runs. Before something is removed it is looked at once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.errors import OutputDamaged
from orchestrator.storage.inventory import Inventory
from orchestrator.storage.manifest import Manifest
from orchestrator.storage.store import Store

#: What is younger than this may be part of what a driver is making.
YOUNG_SECONDS = 3600.0
ADDRESS_DIGITS = 16

Kind = Literal["output", "payload", "attempt", "checkpoint", "quarantine", "scratch"]
WHY: Mapping[Kind, str] = {
    "output": "no given sweep refers to it",
    "payload": "no given sweep refers to it; its manifest stays",
    "attempt": "no manifest names it",
    "checkpoint": "its stage is done, it is incomplete, or no given sweep refers to it",
    "quarantine": "a damaged output that was taken away",
    "scratch": "the process that left it is dead",
}


@dataclass(frozen=True, slots=True)
class Waste:
    """Something to remove."""

    kind: Kind
    address: str
    name: str
    """The attempt or checkpoint; of a quarantined manifest its key; of scratch its folder."""
    size: int
    stage: str = ""


@dataclass(frozen=True)
class Rules:
    """What may go."""

    now: float
    """By the server's clock."""
    referred: Collection[str] | None = None
    """The addresses that are wanted; None: no output is collected because nobody wants it."""
    busy: Collection[str] = ()
    """The addresses that live drivers work on."""
    keep_manifests: bool = False
    """Collect only the payload of what nobody wants."""

    def is_old(self, written: float) -> bool:
        """Whether nobody can be working on what was written then."""
        return self.now - written > YOUNG_SECONDS

    def is_wanted(self, address: str) -> bool:
        """Whether somebody refers to an output, as far as it matters."""
        return self.referred is None or address in self.referred


def find_waste(stock: Inventory, manifests: Mapping[str, Manifest], rules: Rules) -> Iterator[Waste]:
    """What can go. ``manifests`` are those of the stock that can be read; the others are left alone."""
    for address in sorted({*stock.manifests, *stock.attempts, *stock.checkpoints}.difference(rules.busy)):
        manifest = manifests.get(address)
        if manifest is not None or address not in stock.manifests:
            yield from _payloads(stock, address, manifest, rules)
            yield from _checkpoints(stock, address, rules)
    for entry in stock.quarantine:
        if rules.is_old(entry.modified):
            address = entry.key.removeprefix("quarantine/")[:ADDRESS_DIGITS]
            yield Waste("quarantine", address, entry.key, entry.size)


def dead_scratch(store: Store, now: float) -> Iterator[Waste]:
    """What processes of this machine left that are dead; a store that is a folder has it inside."""
    for folder in store.bucket.scratch.dead(now):
        size = sum(path.lstat().st_size for path in folder.rglob("*"))
        yield Waste("scratch", "", str(folder), size)


def _payloads(stock: Inventory, address: str, manifest: Manifest | None, rules: Rules) -> Iterator[Waste]:
    attempts = stock.attempts.get(address, ())
    if manifest is None or rules.is_wanted(address):
        for folder in attempts:
            named = manifest is not None and folder.name == manifest.attempt
            if not named and rules.is_old(folder.written):
                yield Waste("attempt", address, folder.name, folder.size)
        return
    entry, size = stock.manifests[address], sum(folder.size for folder in attempts)
    if rules.is_old(max([entry.modified, *(folder.written for folder in attempts)])):
        if not rules.keep_manifests:
            yield Waste("output", address, manifest.attempt, size + entry.size, manifest.stage)
        elif attempts:
            yield Waste("payload", address, manifest.attempt, size, manifest.stage)


def _checkpoints(stock: Inventory, address: str, rules: Rules) -> Iterator[Waste]:
    is_over = address in stock.manifests or not rules.is_wanted(address)
    for folder in stock.checkpoints.get(address, ()):
        if (is_over or folder.marker is None) and rules.is_old(folder.written):
            yield Waste("checkpoint", address, folder.name, folder.size)


def remove(store: Store, waste: Waste) -> bool:
    """Remove ``waste`` unless that has become wrong since it was found; whether it is gone."""
    address, name = waste.address, waste.name
    if waste.kind in ("output", "payload", "attempt"):
        try:
            manifest = store.manifest(address)
        except OutputDamaged:
            return False
        is_named = manifest is not None and manifest.attempt == name
        if is_named == (waste.kind == "attempt"):
            return False
    match waste.kind:
        case "output":
            store.discard(address)
        case "payload":
            store.drop_payload(address)
        case "attempt":
            store.bucket.remove(f"payload/{address}/{name}/")
        case "checkpoint":
            # the marker first: what has none is no checkpoint
            store.bucket.delete([f"checkpoints/{address}/{name}.json"])
            store.bucket.remove(f"checkpoints/{address}/{name}/")
        case "quarantine":
            store.delete_keys([name])
        case "scratch":
            return store.bucket.scratch.sweep(Path(name))
    return True
