"""A sweep whose store lies on a disk that is full: ``python -m failures.full_disk FOLDER``, in a name space.

Where no file system may be mounted, the size of files is limited instead. Says how it went as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

from failures.case import Case, until
from failures.invariants import Undisturbed, violations

#: All outputs together take about 340 KiB.
SMALL, LARGE = "200k", "10m"
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


def main(folder: Path) -> None:
    """Run the sweep three times: undisturbed, where there is no room until the next run, and until later."""
    calm = Case(folder / "calm")
    undisturbed = Undisturbed.of(calm)
    found: dict[str, object] = {}

    case = Case(folder / "full", changes=((give_up_soon,),))
    found["disk"] = mounted(case.folder / "results", SMALL)
    if not found["disk"]:
        case.changes = ((give_up_soon,), (limit_files,))
    said = case.start().end()
    found["full"] = [said.code, said.err]
    found["kept"] = len(case.open().done())
    case.changes = ()
    if found["disk"]:
        assert mounted(case.folder / "results", LARGE, "remount")
    said = case.start().end()
    found["again"] = [said.code, said.err]
    found["violations"] = violations(case, undisturbed, table=said.out)

    if found["disk"]:
        case = Case(folder / "room")
        mounted(case.folder / "results", SMALL)
        driver = case.start()
        until(lambda: len(case.ledger("ended")) > len({line["address"] for line in case.ledger("ended")}))
        assert mounted(case.folder / "results", LARGE, "remount")
        said = driver.end()
        found["room"] = [said.code, said.err]
        found["violations"] += violations(case, undisturbed, table=said.out)  # type: ignore[operator]
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
