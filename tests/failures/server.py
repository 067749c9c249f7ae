"""A real S3 server on a folder of this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from orchestrator.storage import StoreConfig

KEY = "sparsweep-failures"
#: Found by nobody by chance: a test looks for it in everything that is written.
SECRET = "c2VjcmV0-of-the-failure-tests"
BUCKET = "sweeps"
START_SECONDS = 120.0
LISTENING = re.compile(r"http://127\.0\.0\.1:(\d+)/")


def credentials(**more: str) -> dict[str, str]:
    """The environment of a user of the server, with nothing of the user of this machine."""
    own = {name: "" for name in os.environ if name.startswith("AWS_")}
    return own | {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }


def in_bucket(port: int, machine: Path, endpoint: str | None = None, name: str = "") -> dict[str, Any]:
    """What of a case says that its store is in the bucket, and that its drivers reach it at ``endpoint``.

    By default that is the server itself, as for those who look on. ``machine`` is where drivers keep copies.
    """
    uri, direct = f"s3://{BUCKET}/{name or token_hex(8)}", f"http://127.0.0.1:{port}"
    return {
        "store": StoreConfig(uri, endpoint=endpoint or direct),
        "seen_from": StoreConfig(uri, endpoint=direct),
        "environment": credentials(TMPDIR=str(machine)),
    }


@contextmanager
def s3_server(folder: Path) -> Iterator[int]:
    """The port of a server with one bucket, whose objects are files below ``folder``."""
    (folder / BUCKET).mkdir(parents=True)
    program = Path(sysconfig.get_path("scripts")) / "rclone"
    options = ["--addr", "127.0.0.1:0", "--auth-key", f"{KEY},{SECRET}", "--config", ""]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen([program, "serve", "s3", *options, folder], stdout=log, stderr=log)
    try:
        end = time.monotonic() + START_SECONDS
        # it chooses a free port itself: one that was found to be free may be somebody else's by then
        while (found := LISTENING.search((folder / "server.log").read_text())) is None:
            assert server.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.05)
        yield int(found[1])
    finally:
        server.kill()
        server.wait()
