"""What the stages leave behind for the tests, and the trouble that waits for them.

The environment variable ``FAILURES`` names a file, and that file a folder: so the folder may change while a
Ray cluster lives. In the folder, ``ledger`` gets a line for whatever happens, ``pace`` holds the seconds a
step takes, and ``faults/<address>`` holds in each line what goes wrong in one try of that stage.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

VARIABLE = "FAILURES"
ALWAYS = " always"
#: When a process is killed while its output, or its checkpoint, goes into the store.
MOMENTS = (
    "before the payload",
    "in the payload",
    "after the payload",
    "after the manifest",
    "in a checkpoint",
)


class OutOfMemoryError(RuntimeError):
    """Called as CUDA's is."""


def clock() -> float:
    """The time, also where a test has shifted `time.time`."""
    return time.clock_gettime(time.CLOCK_REALTIME)


def folder() -> Path:
    """Where the test that runs now keeps its things."""
    return Path(Path(os.environ[VARIABLE]).read_text())


def address_of(space: Any) -> str:
    """The address of the stage: for these tests only, a stage does not know it."""
    return space.checkpoint._address


def pace() -> float:
    """How long a step takes."""
    with suppress(FileNotFoundError):
        return float((folder() / "pace").read_text())
    return 0.0


def note(space: Any, event: str, **more: Any) -> None:
    """A line in the ledger, written whole also by several processes at once."""
    line = {"event": event, "address": address_of(space), "pid": os.getpid(), "at": clock(), **more}
    ledger = os.open(folder() / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(ledger, json.dumps(line).encode() + b"\n")
    finally:
        os.close(ledger)


def begin(space: Any, step: int, **more: Any) -> None:
    """The line that a try begins with; ``asked``: just before its worker looked whether the stage is done."""
    asked = clock() - (time.monotonic() - space.checkpoint._last)
    note(space, "began", step=step, asked=asked, **more)


def trouble(space: Any) -> None:
    """Whatever waits for this stage; a line that ends with ``always`` stays."""
    file = folder() / "faults" / address_of(space)
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return
    what = lines[0]
    if what.endswith(ALWAYS):
        what = what.removesuffix(ALWAYS)
    elif len(lines) > 1:
        file.write_text("\n".join(lines[1:]))
    else:
        file.unlink()
    note(space, "trouble", what=what)
    match what:
        case "raise":
            raise RuntimeError("no luck today")
        case "tell":
            raise RuntimeError(f"my environment is {dict(os.environ)}")
        case "memory":
            raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        case "hang":
            time.sleep(600)
        case "die":
            die()
        case _:
            assert what in MOMENTS, what
            arm(space.checkpoint._store.bucket, what)


def die() -> None:
    """As the kernel ends a process that takes too much memory, or a machine that is taken away."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(bucket: Any, moment: str) -> None:
    """Let this process die at ``moment``."""
    kind = type(bucket)
    upload, put = kind.upload, kind.put

    def dying_upload(self: Any, folder: Path, prefix: str) -> None:
        if prefix.startswith("checkpoints/" if moment == "in a checkpoint" else "payload/"):
            if moment in ("in the payload", "in a checkpoint"):
                name = min(path.name for path in folder.iterdir())
                put(self, f"{prefix}{name}", (folder / name).read_bytes()[:-1])
                die()
            if moment == "before the payload":
                die()
        upload(self, folder, prefix)
        if moment == "after the payload" and prefix.startswith("payload/"):
            die()

    def dying_put(self: Any, key: str, data: bytes) -> None:
        put(self, key, data)
        if moment == "after the manifest" and key.startswith("outputs/"):
            die()

    kind.upload, kind.put = dying_upload, dying_put
