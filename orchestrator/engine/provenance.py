"""What a result must be able to say of the code that made it. The driver finds it once for all manifests."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

import orchestrator

DISTRIBUTION = "sparsweep"


@dataclass(frozen=True)
class Provenance:
    """The commit of the code, whether its files differ from it, and the versions of what it stands on."""

    commit: str | None = None
    dirty: bool | None = None
    packages: Mapping[str, str] = field(default_factory=dict)


@cache
def provenance(folder: Path = Path(orchestrator.__file__).parent) -> Provenance:
    """That of the code in ``folder``; no commit where it is in no repository."""
    commit = _git(folder, "rev-parse", "HEAD")
    changes = None if commit is None else _git(folder, "status", "--porcelain", "--untracked-files=no")
    return Provenance(commit or None, None if changes is None else bool(changes), _packages())


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def _packages() -> dict[str, str]:
    """The versions of Python and of the packages this project asks for."""
    versions = {"python": platform.python_version()}
    try:
        versions[DISTRIBUTION] = metadata.version(DISTRIBUTION)
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return versions
    for line in required:
        if "extra ==" not in line:
            name = line.split(";")[0].split("[")[0].rstrip("<>=!~,. 0123456789")
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
    return versions
