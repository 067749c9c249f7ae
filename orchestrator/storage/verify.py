"""Whether a store holds what it says: every size and every sha256, read anew."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from orchestrator.errors import OutputDamaged
from orchestrator.identity import digest
from orchestrator.storage.inventory import Folder, Inventory
from orchestrator.storage.manifest import Manifest, StoredFile, digest_of, files_from_json
from orchestrator.storage.store import Store
from orchestrator.storage.untrusted import read_json


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found out about one output, or one checkpoint."""

    address: str
    stage: str = ""
    """The name of the stage, as far as it can be read."""
    problem: str | None = None
    """Why it is damaged."""
    dropped: bool = False
    """Whether it is done and none of its files is there, as after `Store.drop_payload`."""
    size: int = 0
    """The bytes that were read."""
    checkpoint: Folder | None = None


def check(store: Store, stock: Inventory, wanted: Iterable[str] | None = None) -> Iterator[Checked]:
    """What there is to say of each output and each complete checkpoint, as it is found out, several at once.

    ``wanted`` are the addresses to look at, by default all.
    """
    chosen = None if wanted is None else set(wanted)
    addresses = [address for address in stock.manifests if chosen is None or address in chosen]
    folders = [
        folder
        for address, found in stock.checkpoints.items()
        for folder in found
        if folder.marker is not None and (chosen is None or address in chosen)
    ]
    work: list[Callable[[], Checked]] = [
        *(partial(check_output, store, address) for address in addresses),
        *(partial(check_checkpoint, store, folder) for folder in folders),
    ]
    with ThreadPoolExecutor(max(store.bucket.parallel, os.cpu_count() or 1)) as threads:
        yield from threads.map(lambda act: act(), work)


def check_output(store: Store, address: str) -> Checked:
    """Whether the output at ``address`` is what its manifest says, and the manifest that of this address."""
    found, attempt = _look(store, address)
    while found.problem or found.dropped:
        again, newer = _look(store, address)
        if newer == attempt:
            return again
        found, attempt = again, newer  # somebody replaced it while we looked
    return found


def check_checkpoint(store: Store, folder: Folder) -> Checked:
    """Whether a complete checkpoint is what its marker says; one that is gone by now is fine."""
    assert folder.marker is not None
    text = store.get_bytes(folder.marker)
    if text is None:
        return Checked(folder.address, checkpoint=folder)
    try:
        problem = _difference(store, folder.prefix, files_from_json(read_json(text)), folder.files)
    except ValueError as error:
        problem = f"{folder.marker}: {error}"
    if problem is not None and store.get_bytes(folder.marker) is None:
        problem = None
    return Checked(folder.address, problem=problem, size=folder.size, checkpoint=folder)


def _look(store: Store, address: str) -> tuple[Checked, str]:
    """What one look finds out, and the attempt that it saw."""
    try:
        manifest = store.manifest(address)
    except OutputDamaged as error:
        return Checked(address, problem=str(error).removeprefix(f"{store.uri}/")), ""
    if manifest is None:
        return Checked(address), ""
    prefix = f"payload/{address}/{manifest.attempt}/"
    sizes = {entry.key[len(prefix) :]: entry.size for entry in store.bucket.list(prefix)}
    problem = _own_problem(manifest)
    if problem is None and manifest.files and not sizes:
        return Checked(address, manifest.stage, dropped=True), manifest.attempt
    problem = problem or _difference(store, prefix, manifest.files, sizes)
    return Checked(address, manifest.stage, problem, size=sum(sizes.values())), manifest.attempt


def _own_problem(manifest: Manifest) -> str | None:
    """What in a manifest contradicts itself."""
    if manifest.text and digest(manifest.text) != manifest.address:
        return "its canonical text is that of another address"
    if manifest.digest and digest_of(manifest.files) != manifest.digest:
        return "its digest is not that of its files"
    return None


def _difference(
    store: Store, prefix: str, files: Mapping[str, StoredFile], sizes: Mapping[str, int]
) -> str | None:
    """The first file below ``prefix`` that is not as recorded; ``sizes`` is what lies there."""
    for name, recorded in sorted(files.items()):
        if name not in sizes:
            return f"{name} is missing"
        if sizes[name] != recorded.size:
            return f"{name} has {sizes[name]} bytes instead of {recorded.size}"
        try:
            sha256 = store.bucket.sha256(prefix + name)
        except KeyError:
            return f"{name} is missing"
        if sha256 != recorded.sha256:
            return f"{name} has sha256 {sha256} instead of {recorded.sha256}"
    return None
