"""Which payloads a sweep still needs, where only its numbers are kept. Pure: what is done comes in.

A stage whose payload was dropped stays done. It is made again when something that is still to run reads it,
and before that whatever it reads itself and was dropped too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from typing import Protocol


class Graph(Protocol):
    """What is needed of a plan."""

    addresses: list[str]

    def parents(self, stage: int) -> Sequence[int]:
        """The ids a stage reads."""
        ...

    def tries(self, stage: int) -> Sequence[str]:
        """The addresses that a search tries."""
        ...

    def missing(self, done: Container[str], dropped: Container[str] = ()) -> list[int]:
        """The ids a run would execute."""
        ...


def droppable(plan: Graph, done: Container[str], dropped: Container[str] = ()) -> list[str]:
    """The done addresses whose payload nothing reads that is still to run, in the order of the plan.

    ``dropped`` are those of ``done`` whose payload is gone already; they are not named again. Of a search
    that is done, what it tried is named too.
    """
    running = set(plan.missing(done, dropped))
    needed = {parent for stage in running for parent in plan.parents(stage)}
    found = []
    for stage, address in enumerate(plan.addresses):
        if address in done and stage not in running:
            found += [tried for tried in plan.tries(stage) if tried in done]
            found += [address] if stage not in needed else []
    wanted = {plan.addresses[stage] for stage in needed | running}
    return [item for item in dict.fromkeys(found) if item not in dropped and item not in wanted]


def to_run(
    plan: Graph, done: Collection[str], find_dropped: Callable[[Collection[str]], Collection[str]]
) -> tuple[list[int], set[str]]:
    """The ids a run executes when payloads may be gone, and the done addresses that are made again for it.

    ``find_dropped`` says which of some done addresses have lost their payload; it is asked only about what
    is read (`orchestrator.storage.Store.dropped`).
    """
    asked: set[str] = set()
    dropped: set[str] = set()
    while True:
        missing = plan.missing(done, dropped)
        read = {plan.addresses[parent] for stage in missing for parent in plan.parents(stage)}
        new = {address for address in read - asked if address in done}
        if not new:
            return missing, dropped
        asked |= new
        dropped |= set(find_dropped(new))


class Readers:
    """How many of the stages to run read each payload: says at once which payload is free, stage by stage.

    The same as `droppable` after every stage, for plans that are too large to walk each time.
    """

    def __init__(self, plan: Graph, missing: Iterable[int]) -> None:
        self._plan = plan
        self._left: Counter[int] = Counter()
        self._waiting: set[int] = set()
        for stage in missing:
            self.expect(stage)

    def expect(self, stage: int) -> None:
        """``stage`` is to run, or to run again."""
        if stage not in self._waiting:
            self._waiting.add(stage)
            self._left.update(set(self._plan.parents(stage)))

    def finished(self, stage: int) -> list[str]:
        """Whose payload is free now that ``stage`` is done: perhaps its own, and what it read."""
        if stage not in self._waiting:
            return []
        self._waiting.discard(stage)
        parents = set(self._plan.parents(stage))
        self._left.subtract(parents)
        free = [
            item for item in sorted({*parents, stage}) if not self._left[item] and item not in self._waiting
        ]
        return [*self._plan.tries(stage), *(self._plan.addresses[item] for item in free)]
