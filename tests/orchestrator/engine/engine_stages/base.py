"""What the stages for tests leave behind, so that a test sees what happened in other processes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path


def leave(folder, event, **fields):
    """One line in ``folder``/events, written whole also by several processes at once."""
    line = json.dumps({"event": event, "pid": os.getpid(), "at": time.time(), **fields}) + "\n"
    with (Path(folder) / "events").open("a") as file:
        file.write(line)


def left(folder, event=None):
    """What was left in ``folder``, in order."""
    file = Path(folder) / "events"
    found = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return [item for item in found if event is None or item["event"] == event]
