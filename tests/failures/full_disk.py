"""A sweep that has no room: ``python -m failures.full_disk FOLDER PORT``, in a name space of its own.

First its store lies on a disk that is full; then it is the bucket of the S3 server at the port, and the disk
for temporary files is full. Where no file system may be mounted, the size of files is limited instead. Says
how it went as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from failures.case import Case, Driver, until
from failures.invariants import Undisturbed, violations
from failures.server import in_bucket

#: All outputs together take about 340 KiB.
SMALL, LARGE = "200k", "10m"
#: The output of a long stage and a checkpoint of it take 66 KiB.
TINY = "60k"
#: Less than the weights of a network.
FILE_BYTES = 20_000


def mounted(folder: Path, size: str, *more: str) -> bool:
    """Whether ``folder`` is a disk of that size now."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join([*more, f"size={size}"]), "none", folder]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def limit_files() -> None:
    """Let this process write no large files."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))


def give_up_soon() -> None:
    """Wait for a store that is away for seconds, not for ten minutes."""
    from orchestrator.engine import retry

    retry.STORE_TRIES = 2


def main(folder: Path, port: int) -> None:
    """No room for a store until the next run, none until later, and none for the scratch of a bucket."""
    undisturbed = Undisturbed.of(Case(folder / "calm"))
    found: dict[str, Any] = {"violations": []}

    case = Case(folder / "full", changes=((give_up_soon,),))
    found["disk"] = mounted(case.folder / "results", SMALL)
    if not found["disk"]:
        case.changes = ((give_up_soon,), (limit_files,))
    found["full"] = told(case.start())
    found["kept"] = len(case.open().done())
    case.changes = ()
    if found["disk"]:
        assert mounted(case.folder / "results", LARGE, "remount")
    found["again"] = finished(case, undisturbed, case.start(), found["violations"])

    if found["disk"]:
        case = Case(folder / "room")
        mounted(case.folder / "results", SMALL)
        driver = case.start()
        until(lambda: len(case.ledger("ended")) > len({line["address"] for line in case.ledger("ended")}))
        assert mounted(case.folder / "results", LARGE, "remount")
        found["room"] = finished(case, undisturbed, driver, found["violations"])

    machine = folder / "machine"
    disk = mounted(machine, TINY)
    case = Case(folder / "bucket", **in_bucket(port, machine))
    case.changes = ((give_up_soon,),) if disk else ((give_up_soon,), (limit_files,))
    found["scratch"] = told(case.start())
    case.changes = ()
    if disk:
        assert mounted(machine, LARGE, "remount")
    found["scratch again"] = finished(case, undisturbed, case.start(), found["violations"])
    print(json.dumps(found))


def told(driver: Driver) -> list[Any]:
    """The exit code of ``driver``, and what it said to people."""
    said = driver.end()
    return [said.code, said.err]


def finished(case: Case, undisturbed: Undisturbed, driver: Driver, problems: list[str]) -> list[Any]:
    """The same of a driver that has room; what does not hold then is added to ``problems``."""
    said = driver.end()
    problems += violations(case, undisturbed, table=said.out, whole_checkpoints="://" not in case.store.uri)
    return [said.code, said.err]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
