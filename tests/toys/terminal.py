"""Programs on a pseudo-terminal, and toy sweeps in a process of their own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

TESTS = Path(__file__).parents[1]

#: What `sparsweep` does, except that toys are found by name.
COMMAND = """
import functools, sys
import orchestrator.cli.asked
from orchestrator import cli, spec
orchestrator.cli.asked.load = functools.partial(spec.load, package="toys")
sys.exit(cli.main())
"""


def environment(**more):
    """That of this process, where toys can be imported and nothing says how a terminal looks."""
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    # the repository first: `tests/orchestrator` must not be taken for the package
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, (TESTS.parent, TESTS))), **more}


def on_a_terminal(*arguments, rows=24, columns=80, code=0):
    """What Python, started with ``arguments``, draws on a terminal of this size."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    started = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(TERM="xterm-256color"),
    )
    os.close(theirs)
    drawn = b""
    while True:
        try:
            drawn += os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
    os.close(ours)
    assert started.wait() == code, drawn.decode()
    return drawn.decode()


def frames(drawn):
    """The pictures of a live view, one after the other, without colours."""
    found = re.split(r"(?:\x1b\[2K(?:\x1b\[1A)?)+", drawn)
    return [plain(frame) for frame in found]


def plain(drawn):
    """What was drawn, without colours."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn).replace("\r", "")
