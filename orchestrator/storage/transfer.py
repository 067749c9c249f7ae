"""Outputs, checkpoints and journals from one store to another: only what is missing there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

from orchestrator.errors import OutputDamaged
from orchestrator.storage.inventory import Inventory
from orchestrator.storage.manifest import Manifest
from orchestrator.storage.store import Store

#: Each reads, writes and reads back.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of one thing that was to be copied."""

    kind: Literal["output", "checkpoint", "run"]
    name: str
    """The address; of a run the key of the object."""
    size: int = 0
    """The bytes that were written."""
    problem: str | None = None
    """Why it was not copied."""


def lacking(
    source: Inventory, target: Inventory, ours: Mapping[str, Manifest], theirs: Mapping[str, Manifest]
) -> list[str]:
    """The addresses whose output ``target`` lacks, or whose payload it lost while ``source`` has the same.

    ``ours`` and ``theirs`` are the manifests in source and target that can be read.
    """
    found = []
    for address in sorted(source.manifests):
        mine, other = ours.get(address), theirs.get(address)
        if other is None:
            found.append(address)
        elif mine is not None and mine.attempt == other.attempt and mine.files:
            here, there = _holds(source, mine), _holds(target, mine)
            if here and not there:
                found.append(address)
    return found


def copy_outputs(source: Store, target: Store, addresses: Iterable[str]) -> Iterator[Copied]:
    """Copy outputs, several at once; what became of each, as it is copied."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(partial(copy_output, source, target), addresses)


def copy_output(source: Store, target: Store, address: str) -> Copied:
    """Copy one output: its payload, verified on both sides, then its manifest."""
    folder = target.bucket.scratch.new()
    try:
        manifest = source.manifest(address)
        text = source.get_bytes(f"outputs/{address}/manifest.json")
        if manifest is None or text is None:
            return Copied("output", address, problem="it was removed meanwhile")
        absent = []
        for name in manifest.files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                source.bucket.fetch(f"payload/{address}/{manifest.attempt}/{name}", path)
            except KeyError:
                absent.append(name)
        dropped = bool(absent) and len(absent) == len(manifest.files)
        if absent and not dropped:
            return Copied("output", address, problem=f"{absent[0]} is missing")
        target.adopt(address, text, None if dropped else folder)
    except OutputDamaged as error:
        return Copied("output", address, problem=str(error).removeprefix(f"{address}: "))
    finally:
        target.bucket.scratch.free(folder)
    size = 0 if dropped else sum(item.size for item in manifest.files.values())
    return Copied("output", address, size + len(text))


def copy_checkpoint(source: Store, target: Store, address: str) -> Copied | None:
    """Copy the newest whole checkpoint of a stage if that is further than what ``target`` has."""
    newest, known = source.latest_checkpoint(address), target.latest_checkpoint(address)
    if newest is None or (known is not None and known[0] >= newest[0]):
        return None
    step, folder = newest
    copied = target.bucket.scratch.new()
    try:
        shutil.copytree(folder, copied, dirs_exist_ok=True, copy_function=shutil.copyfile)
        size = sum(path.stat().st_size for path in copied.rglob("*") if path.is_file())
        target.save_checkpoint(address, step, copied)
    finally:
        target.bucket.scratch.free(copied)
    return Copied("checkpoint", address, size)


def copy_runs(source: Store, target: Store, sweeps: Iterable[str]) -> Iterator[Copied]:
    """Copy the journals and sweep files of the runs of ``sweeps``, as far as ``target`` has less of them."""
    for sweep in sweeps:
        known = {entry.key: entry.size for entry in target.bucket.list(f"runs/{sweep}/")}
        for entry in source.bucket.list(f"runs/{sweep}/"):
            text = source.get_bytes(entry.key) if known.get(entry.key, -1) < entry.size else None
            if text is not None:
                target.put_bytes(entry.key, text)
                yield Copied("run", entry.key, len(text))


def _holds(stock: Inventory, manifest: Manifest) -> bool:
    """Whether every file of an output is there with its size."""
    attempts = stock.attempts.get(manifest.address, ())
    sizes = next((folder.files for folder in attempts if folder.name == manifest.attempt), {})
    return all(sizes.get(name) == item.size for name, item in manifest.files.items())
