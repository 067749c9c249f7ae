"""``sparsweep show``: everything about one output."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.api import store_for
from orchestrator.errors import InputError, OutputDamaged
from orchestrator.identity import to_json
from orchestrator.journal import read_journal, runs
from orchestrator.monitor.durations import took
from orchestrator.report.ancestry import reads
from orchestrator.storage import Manifest, Store


def show_output(prefix: str, uri: str | None, as_json: bool) -> int:
    """Print the manifest, the chain back to the data and the last failure of the address that begins so."""
    store = store_for(None, uri, write=False)
    failures = last_failures(store)
    address = find(prefix, {*store.done(), *failures}, store.uri)
    manifest = store.manifest(address)
    failure = failures.get(address)
    if as_json:
        found = {
            "address": address,
            "manifest": json.loads(manifest.to_json()) if manifest else None,
            "made_from": [
                dict(zip(("depth", "role", "address", "stage"), line, strict=True))
                for line in chain(store, address)
            ],
            "failure": failure,
        }
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    if manifest:
        print("\n".join(described(manifest)))
        print("made from" if manifest.inputs else "made from nothing but its fields")
        for depth, role, parent, stage in chain(store, address):
            print(f"{'  ' * depth}{role}: {stage} {parent}")
    if failure:
        print("\n".join(failed(address, failure)))
    return 0


def find(prefix: str, known: set[str], uri: str) -> str:
    """The one address of ``known`` that begins with ``prefix``.

    Raises:
        InputError: there is none, or there are several.
    """
    fits = sorted(address for address in known if address.startswith(prefix.lower()))
    if not fits:
        raise InputError(f"{uri}: no output and no failure whose address begins with {prefix!r}")
    if len(fits) > 1:
        raise InputError(f"{uri}: {len(fits)} addresses begin with {prefix!r}: {', '.join(fits[:5])}")
    return fits[0]


def described(manifest: Manifest) -> Iterator[str]:
    """What an output is, in lines."""
    point = " ".join(f"{axis}={value}" for axis, value in manifest.point.items())
    yield f"{manifest.address}  {manifest.stage}, version {manifest.version}"
    yield f"node      {manifest.node} {point}".rstrip()
    for title, content in (
        ("fields", manifest.fields),
        ("metrics", manifest.metrics),
        ("measured", manifest.measured),
    ):
        yield from block(title, content)
    for warning in manifest.warnings:
        yield f"warning   {warning}"
    yield from block("data", manifest.fingerprints)
    for name, stored in manifest.files.items():
        yield f"file      {name}  {stored.size:,} bytes  sha256 {stored.sha256}"
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(manifest.started))
    where = f"on {manifest.host}, {manifest.device}, {manifest.cpus:g} cpus"
    yield f"made      {made}, {where}, in {took(manifest.finished - manifest.started)}"
    code = (
        f"commit {manifest.commit}{' and changes' if manifest.dirty else ''}"
        if manifest.commit
        else "no commit"
    )
    yield f"code      {code}; {', '.join(f'{name} {version}' for name, version in manifest.packages.items())}"


def block(title: str, content: Mapping[str, Any]) -> Iterator[str]:
    """A mapping, a line each."""
    for index, (name, value) in enumerate(content.items()):
        yield f"{title if not index else '':<10}{name}: {value if isinstance(value, str) else to_json(value)}"


def chain(store: Store, address: str) -> Iterator[tuple[int, str, str, str]]:
    """What an output was made from, depth first, each output once: depth, role, address and stage."""
    seen = {address}
    waiting = [(0, "", address)]
    while waiting:
        depth, role, current = waiting.pop()
        try:
            manifest = store.manifest(current)
        except OutputDamaged:
            manifest = None
        if depth:
            yield depth, role, current, manifest.stage if manifest else "(gone)"
        inputs = dict(manifest.inputs) if manifest else {}
        for parent_role in reversed(list(inputs)):
            for read in reversed(list(reads({parent_role: inputs[parent_role]}))):
                if read["address"] not in seen:
                    seen.add(read["address"])
                    waiting.append((depth + 1, parent_role, read["address"]))


def last_failures(store: Store) -> dict[str, dict[str, Any]]:
    """Address -> the event of its last failure, over all sweeps of the store."""
    names = dict.fromkeys(key.split("/")[1] for key in store.list_keys("runs/"))
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        for run in runs(store, name):
            for event in read_journal(store, name, run):
                if event["kind"] == "failed":
                    previous = found.get(event["address"], event)
                    found[event["address"]] = max(previous, event, key=lambda item: item["at"])
    return found


def failed(address: str, event: Mapping[str, Any]) -> Iterator[str]:
    """A failure in lines, with its traceback."""
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(event["at"]))
    yield f"{address}  {event.get('label', '')}"
    yield f"failed    {at}, try {event.get('attempt')}, {event.get('cause')}: {event.get('reason')}"
    yield str(event.get("traceback", ""))
