"""The command line in a process that can be killed. It is forked from one that has imported everything.

A driver that starts in 20 ms instead of 2 s can be killed at many more moments.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PACKAGE = "failures.stages"
TESTS = Path(__file__).parents[1]
#: What a driver imports sooner or later.
IMPORTED = (
    "orchestrator.cli.run",
    "orchestrator.cli.app",
    "orchestrator.engine.inline",
    "orchestrator.storage.s3",
    "failures.driver",
)
#: The same in a process of its own, as Ray wants it.
COMMAND = "import sys; from failures.driver import main; sys.exit(main(sys.argv[1:]))"


def main(arguments: list[str]) -> int:
    """What ``sparsweep`` does, except that the stages of these tests are found by name; the exit code."""
    import orchestrator.cli.asked
    from orchestrator import cli, spec

    orchestrator.cli.asked.load = functools.partial(spec.load, package=PACKAGE)
    sys.argv = ["sparsweep", *arguments]
    return cli.main(arguments)


def impatient(seconds: float) -> None:
    """Let S3 wait no longer than ``seconds`` for an answer, which else is a minute."""
    from orchestrator.storage import s3

    usual = s3.Config
    s3.Config = lambda **given: usual(**(given | {"read_timeout": seconds}))  # type: ignore[misc, assignment]


def jump(seconds: float, after: float) -> None:
    """Let the clock of this host jump by ``seconds`` once, ``after`` seconds from now."""
    usual, begin = time.time, time.monotonic()
    time.time = lambda: usual() + (seconds if time.monotonic() - begin > after else 0.0)


def drive(
    arguments: list[str], folder: Path, said: Path, environment: dict[str, str], changes: tuple[Any, ...]
) -> None:
    """Become a driver: what it says goes into ``said``.out and ``said``.err."""
    for stream, ending in ((sys.stdout, ".out"), (sys.stderr, ".err")):
        file = os.open(said.with_suffix(ending), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, {".out": 1, ".err": 2}[ending])
        os.close(file)
        stream.flush()
    os.environ.update(environment)
    tempfile.tempdir = None  # this process may have another folder for what is temporary
    os.chdir(folder)
    for change, *given in changes:
        change(*given)
    sys.exit(main(arguments))


@functools.cache
def forks() -> Any:
    """Where drivers are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = python_path()
    try:
        context.Process(target=int).start()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return context


def python_path() -> str:
    """Where the repository and its tests are found, the repository first."""
    return os.pathsep.join(map(str, (TESTS.parent, TESTS)))
