"""Everything the orchestrator raises on purpose.

OrchestratorError
├── InputError       what the user gave is wrong; nothing was started, nothing was written (exit code 2)
│   └── SpecError    the sweep file is wrong; carries every problem of the file at once
├── StageFailed      a stage raised; the stages that need it were not run (exit code 1)
├── Interrupted      Ctrl-C or SIGTERM; what ran was checkpointed (exit code 130)
└── StoreError       the store cannot be reached or written
    ├── OutputMissing   the store has no output at this address, or its payload was dropped
    └── OutputDamaged   what the store holds is not what the manifest says
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class OrchestratorError(Exception):
    """The root: one `except` catches whatever the orchestrator raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the input: where it stands, what it is and what would be right."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class InputError(OrchestratorError):
    """What the user gave is wrong; nothing was started."""


class SpecError(InputError):
    """The sweep file is wrong; ``problems`` holds all of the file's problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(map(str, self.problems)))


class StageFailed(OrchestratorError):
    """A stage raised on every attempt it was given."""


class Interrupted(OrchestratorError):
    """The user or the system asked to stop."""


class StoreError(OrchestratorError):
    """The store cannot be reached or written."""


class OutputMissing(StoreError):
    """The store has no output at this address, or its payload was dropped."""


class OutputDamaged(StoreError):
    """What the store holds at this address is not what its manifest says."""


def unknown(kind: str, given: object, known: Iterable[str]) -> str:
    """The sentence for a name that does not exist: what was given, the nearest name, all the names."""
    names = sorted(set(known))
    near = get_close_matches(str(given), names, n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {given!r}.{hint} Known: {', '.join(names) if names else 'none'}"
