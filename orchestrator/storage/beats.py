"""Heartbeats: which drivers work on a store now, and on what.

A driver rewrites ``drivers/<run id>.json`` every few seconds. How old a beat is, is a matter of the server's
clock alone, which dates every object: the clocks of the hosts play no part. A driver on this machine whose
process is gone needs no time to be known as gone.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.storage.manifest import ADDRESS
from orchestrator.storage.store import Store
from orchestrator.storage.untrusted import read_json

PREFIX = "drivers/"
#: So many beats may be late before their driver counts as gone.
LATE = 6
#: A driver promises to beat at least so often; what promises less is taken for this.
SLOWEST_SECONDS = 600.0
#: What is larger is none of ours, and is not read.
LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Process:
    """A process that can be found again on its machine."""

    host: str
    pid: int
    machine: str = ""
    """Where ``pid`` means something: a boot of a kernel, and one of its namespaces; empty where unknown."""
    born: int = 0
    """When it started, in ticks since that boot: ids are used again."""

    def is_gone(self) -> bool:
        """Whether it is certain that it runs no more: it was one of this machine."""
        return bool(self.machine) and self.machine == _machine() and _born(self.pid) != self.born


@dataclass(frozen=True, slots=True)
class Beat:
    """What a driver says of itself."""

    run: str
    sweep: str
    process: Process
    every_seconds: float
    """How often it says so."""
    running: tuple[str, ...] = ()
    """The addresses it works on."""
    upcoming: tuple[str, ...] = ()
    """Those it begins before its next beat or the one after."""

    @property
    def key(self) -> str:
        """The object it is."""
        return key_of(self.run)

    def to_json(self) -> bytes:
        """The bytes of the object."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, run: str, text: bytes) -> Beat:
        """The beat of ``run`` that ``text`` holds.

        Raises:
            ValueError: it holds something else.
        """
        match read_json(text):
            case {
                "sweep": str(sweep),
                "process": {"host": str(host), "pid": int(pid), "machine": str(machine), "born": int(born)},
                "every_seconds": int(every) | float(every),
                "running": list(running),
                "upcoming": list(upcoming),
            }:
                seconds = min(max(0.0, float(every)), SLOWEST_SECONDS)
                process = Process(host, pid, machine, born)
                return cls(run, sweep, process, seconds, _addresses(running), _addresses(upcoming))
        raise ValueError("it is no heartbeat")


@dataclass(frozen=True, slots=True)
class Heard:
    """A beat, and when it was written by the server's clock."""

    beat: Beat
    modified: float
    tag: str = ""

    def is_fresh(self, now: float) -> bool:
        """Whether its driver is there at ``now`` of the server's clock, as far as one can tell."""
        return now - self.modified <= LATE * self.beat.every_seconds and not self.beat.process.is_gone()


def hear(store: Store, known: Mapping[str, Heard] | None = None, own: Beat | None = None) -> dict[str, Heard]:
    """The newest beat of every driver by its run: one listing, and a read of what is not ``known`` yet.

    ``own`` is what the caller wrote itself.

    Raises:
        StoreError: the store cannot be read.
    """
    known = known or {}
    found = {}
    for entry in store.bucket.list(PREFIX):
        run = entry.key.removeprefix(PREFIX).removesuffix(".json")
        before = known.get(run)
        if own is not None and entry.key == own.key:
            found[run] = Heard(own, entry.modified, entry.tag)
        elif before is not None and (before.modified, before.tag) == (entry.modified, entry.tag):
            found[run] = before
        elif entry.key == key_of(run) and entry.size <= LARGEST_BYTES:
            text = store.get_bytes(entry.key)
            try:
                found[run] = Heard(Beat.from_json(run, text or b""), entry.modified, entry.tag)
            except ValueError:  # removed meanwhile, or none of ours
                continue
    return found


def key_of(run: str) -> str:
    """Where the beat of ``run`` is."""
    return f"{PREFIX}{run}.json"


@cache
def this_process() -> Process:
    """This one."""
    pid = os.getpid()
    return Process(socket.gethostname(), pid, _machine(), _born(pid) or 0)


@cache
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # another kernel: its drivers are gone when their beats are late
        return ""


def _born(pid: int) -> int | None:
    """When a process started, in ticks; None if there is none, or only its exit code."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _addresses(given: list[Any]) -> tuple[str, ...]:
    return tuple(item for item in given if isinstance(item, str) and ADDRESS.fullmatch(item))
