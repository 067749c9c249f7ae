"""What a stage reads: the folders of its inputs, and what its manifest will say about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.errors import OutputDamaged, OutputMissing, StoreError
from orchestrator.plan.job import Job
from orchestrator.storage import Store

Folders = dict[str, Path | list[Path]]


class Lost(Exception):
    """An input is gone or damaged; ``address`` says which."""

    def __init__(self, address: str, error: StoreError) -> None:
        super().__init__(str(error))
        self.address = address


def fetch(job: Job, store: Store) -> tuple[Folders, dict[str, Any]]:
    """The folder of every input by role, and by role its address, part and digest.

    Raises:
        Lost: one is not there, or not what its manifest says.
        FileNotFoundError: one has not the part that is asked for.
    """
    folders: Folders = {}
    records: dict[str, Any] = {}
    for role, given in job.inputs.items():
        if isinstance(given, str):
            folders[role], records[role] = _fetch(store, given)
        else:
            found = [_fetch(store, name) for name in given]
            folders[role] = [folder for folder, _ in found]
            records[role] = [record for _, record in found]
    return folders, records


def _fetch(store: Store, name: str) -> tuple[Path, dict[str, str]]:
    address, _, part = name.partition("/")
    try:
        folder = store.fetch(address)
        manifest = store.manifest(address)
    except (OutputMissing, OutputDamaged) as error:
        raise Lost(address, error) from error
    record = {"address": address, "digest": manifest.digest if manifest else ""}
    if not part:
        return folder, record
    if not (folder / part).exists():
        raise FileNotFoundError(f"the output at {address} has no part {part!r}")
    return folder / part, record | {"part": part}
