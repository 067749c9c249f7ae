"""Whether a stage that went wrong may try again. Pure: counts per stage, and the rule for each cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

#: What a failed stage died of, as journals and summaries say it.
Cause = Literal["error", "system", "timeout", "memory"]

#: What a try that did not end well came to: a `Cause`, or ``rejected`` (the stage could not be built),
#: ``lost`` (an input is gone or damaged), ``store`` (the store could not be reached).
Trouble = Literal["error", "system", "timeout", "memory", "rejected", "lost", "store"]

CAUSES: Mapping[Trouble, Cause] = {
    "error": "error",
    "rejected": "error",
    "memory": "memory",
    "timeout": "timeout",
    "system": "system",
    "lost": "system",
    "store": "system",
}

#: With one second doubling to a minute, this many tries outlast a store that is away for ten minutes.
STORE_TRIES = 14
LONGEST_PAUSE_SECONDS = 60.0


class Retries(Protocol):
    """How often a stage is tried again, as the sweep file says it."""

    @property
    def system(self) -> int:
        """After its worker died or stood still."""
        ...

    @property
    def error(self) -> int:
        """After it raised."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do now: try again or give up, why, and how."""

    again: bool
    cause: Cause
    pause_seconds: float = 0.0
    alone: bool = False
    """Whether it needs a whole GPU for itself from now on."""
    repeated: bool = False
    """Whether it was the same error as the time before."""


class Ledger:
    """What went wrong with each stage so far in this run. A new run begins with an empty one."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._spent: Counter[tuple[int, str]] = Counter()
        self._last: dict[int, str] = {}
        self._alone: set[int] = set()

    def is_alone(self, stage: int) -> bool:
        """Whether ``stage`` ran out of GPU memory once, so that it gets a whole GPU."""
        return stage in self._alone

    def judge(self, stage: int, trouble: Trouble, reason: str, *, on_gpu: bool = False) -> Verdict:
        """What becomes of ``stage`` after ``trouble``; each kind has a budget of its own."""
        cause = CAUSES[trouble]
        repeated = self._last.get(stage) == reason
        self._last[stage] = reason
        if trouble == "rejected":
            return Verdict(False, cause, repeated=repeated)
        if trouble == "memory" and on_gpu:
            again = stage not in self._alone
            self._alone.add(stage)
            return Verdict(again, cause, alone=True, repeated=repeated)
        if trouble == "store":
            self._spent[stage, trouble] += 1
            tries = self._spent[stage, trouble]
            pause = min(2.0 ** (tries - 1), LONGEST_PAUSE_SECONDS)
            return Verdict(tries <= STORE_TRIES, cause, pause_seconds=pause, repeated=repeated)
        raised = trouble in ("error", "memory")
        budget = self._retries.error if raised else self._retries.system
        account = "error" if raised else "lost" if trouble == "lost" else "system"
        self._spent[stage, account] += 1
        return Verdict(self._spent[stage, account] <= budget, cause, repeated=repeated)
