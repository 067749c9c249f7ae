"""The events of a run, for people and monitors; nothing depends on it to be correct.

A run writes JSON lines to ``runs/<sweep>/<run>/journal-00000.jsonl``. The open segment is rewritten at most
once a second and sealed at 256 KiB, then the next one begins: a bucket cannot append, and a run of weeks must
not rewrite weeks. A driver that is killed loses at most the last second of events, and no result.
"""

from __future__ import annotations

import json
import math
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from numbers import Real
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, Self, final

from orchestrator.errors import InputError, StoreError, unknown
from orchestrator.storage.store import Store
from orchestrator.storage.untrusted import read_json

SEGMENT_BYTES = 256 * 1024
EVERY_SECONDS = 1.0
SWEEP_FILE = "sweep.yaml"
NAME = re.compile(r"[a-z0-9_-]+")
RUN = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")
SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|ACCESS_KEY|API_KEY|CREDENTIAL")
#: Shorter values are words that an event may hold for other reasons.
SECRET_LENGTH = 8
LOGIN = re.compile(r"(\w://)[^/\s\"@]+@")
HIDDEN = "***"


def new_run_id(now: float | None = None) -> str:
    """An id that sorts by time, to the second: ``20261120T103000-ab12cd`` (UTC)."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(now)) + "-" + token_hex(3)


def runs(store: Store, sweep_name: str) -> list[str]:
    """The ids of the runs of a sweep, oldest first."""
    top = _top(sweep_name)
    found = {key[len(top) :].partition("/")[0] for key in store.list_keys(top)}
    return sorted(filter(RUN.fullmatch, found))


def read_journal(store: Store, sweep_name: str, run_id: str | None = None) -> list[dict[str, Any]]:
    """The events of a run in their order, of the latest run by default; empty if the sweep never ran.

    Lines that are torn or no events are left out.

    Raises:
        InputError: there is no run ``run_id``; names those that exist.
    """
    known = runs(store, sweep_name)
    if run_id is not None and run_id not in known:
        raise InputError(f"{store.uri}: {sweep_name}: {unknown('run', run_id, known)}")
    if not known:
        return []
    keys = store.list_keys(f"{_top(sweep_name)}{run_id or known[-1]}/journal-")
    lines = (line for segment in store.get_many(keys) if segment for line in segment.splitlines())
    return [event for event in map(_event, lines) if event is not None]


@final
class Journal:
    """The journal of one run, open; a context manager. `append` may be called from any thread."""

    def __init__(
        self,
        store: Store,
        sweep_name: str,
        run_id: str,
        *,
        sweep_file: Path | None = None,
        secrets: Iterable[str] | None = None,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        """``sweep_file`` is copied beside the events; ``secrets`` (default: the environment's) never."""
        if not RUN.fullmatch(run_id):
            raise InputError(f"a run id looks like {new_run_id(0)}, got {run_id!r}")
        self.run_id = run_id
        self._store = store
        self._top = f"{_top(sweep_name)}{run_id}/"
        self._secrets = _forms(secrets_in(os.environ) if secrets is None else secrets)
        self._every_seconds = every_seconds
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._new: list[str] = []
        self._segment = bytearray()
        self._number = 0
        self._unwritten = False
        self._work = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        if sweep_file is not None:
            text = self._clean(sweep_file.read_text(encoding="utf-8"))
            store.put_bytes(f"{self._top}{SWEEP_FILE}", text.encode())

    def append(self, kind: str, **fields: Any) -> None:
        """Note an event; it is in the store about a second later. ``at`` (seconds since 1970) is added.

        A number that is no number (NaN, infinite) becomes null, a value without a JSON form its text.
        """
        event = {"kind": kind, "at": round(time.time(), 3), **fields}
        try:
            line = json.dumps(event, ensure_ascii=False, allow_nan=False, default=_plain)
        except ValueError:
            line = json.dumps(_finite(event), ensure_ascii=False, default=_plain)
        with self._lock:
            if self._closing.is_set():
                raise ValueError(f"the journal of {self.run_id} is closed")
            self._new.append(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep_writing, name="journal", daemon=True)
                self._thread.start()
        self._work.set()

    def flush(self) -> None:
        """Write what was appended so far.

        Raises:
            StoreError: the store cannot be written; the events are kept for the next time.
        """
        with self._writing:
            with self._lock:
                new, self._new = self._new, []
            if new:
                self._segment += self._clean("\n".join(new)).encode(errors="replace") + b"\n"
                self._unwritten = True
            while len(self._segment) >= SEGMENT_BYTES:
                end = self._segment.find(b"\n", SEGMENT_BYTES - 1) + 1
                self._put(bytes(self._segment[:end]))
                del self._segment[:end]
                self._number += 1
            if self._segment and self._unwritten:
                self._put(bytes(self._segment))
            self._unwritten = False

    def close(self) -> None:
        """Write what is left, and end.

        Raises:
            StoreError: the store cannot be written; the last events are lost.
        """
        with self._lock:
            self._closing.set()
        self._work.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep_writing(self) -> None:
        while not self._closing.is_set():
            self._work.wait()
            self._work.clear()
            try:
                self.flush()
            except StoreError:
                self._work.set()  # again in a second: a run does not end for want of a journal
            self._closing.wait(self._every_seconds)

    def _put(self, segment: bytes) -> None:
        self._store.put_bytes(f"{self._top}journal-{self._number:05d}.jsonl", segment)

    def _clean(self, text: str) -> str:
        return _hide(text, self._secrets)


def without_secrets(text: str) -> str:
    """``text`` without the secrets in this process's environment and without the logins of addresses."""
    return _hide(text, _forms(secrets_in(os.environ)))


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """The values of the variables whose names say that they are secret."""
    return [value for name, value in environment.items() if SECRET_NAME.search(name.upper())]


def _hide(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return LOGIN.sub(rf"\1{HIDDEN}@", text)


def _forms(secrets: Iterable[str]) -> list[str]:
    """Every secret as it is and as it stands in JSON, the longest first."""
    long = [secret for secret in secrets if len(secret) >= SECRET_LENGTH]
    forms = {*long, *(json.dumps(secret, ensure_ascii=False)[1:-1] for secret in long)}
    return sorted(forms, key=lambda form: (-len(form), form))


def _top(sweep_name: str) -> str:
    if not NAME.fullmatch(sweep_name):
        raise InputError(f"the name of a sweep is made of a-z, 0-9, _ and -, got {sweep_name!r}")
    return f"runs/{sweep_name}/"


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = read_json(line)
    except ValueError:
        return None
    known = isinstance(event, dict) and isinstance(event.get("kind"), str)
    return event if known and isinstance(event.get("at"), int | float) else None


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Real) else str(value)


def _finite(value: Any) -> Any:
    """``value`` with None for every number that JSON does not know."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value
