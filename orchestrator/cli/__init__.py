"""The command ``sparsweep``. Exit codes: 0 all done, 1 some stage failed, 2 wrong input, 130 interrupted."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; by default the one the process was started with. What comes back is the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ± gets a ?, not an exception
    try:
        from orchestrator.cli.app import app

        app(args=arguments, prog_name="sparsweep")
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except KeyboardInterrupt:
        return 130
    return 0
