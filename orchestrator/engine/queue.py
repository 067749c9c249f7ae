"""Which stage runs next: the state of a plan while it is drained. Pure: no clock, no store, no Ray.

Every stage is in one state. What waits becomes ready when all it reads is done; of what is ready, the stage
with the longest remaining path (its own expected seconds and those of the longest chain that needs it) goes
first. A failed stage blocks what depends on it and nothing else. A done stage whose output is gone
can be put back, and what somebody else works on can be held back.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Collection, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Protocol


class Graph(Protocol):
    """What the queue needs of a plan; parents have smaller ids than their children."""

    addresses: list[str]

    def __len__(self) -> int: ...

    def parents(self, stage: int) -> Sequence[int]:
        """The stages that ``stage`` reads."""
        ...

    def children(self) -> Sequence[Sequence[int]]:
        """The stages that read each stage."""
        ...

    def stage_name(self, stage: int) -> str:
        """The name of the kind of stage."""
        ...


class State(IntEnum):
    """Where a stage of the plan stands."""

    UNNEEDED = 0
    DONE = 1
    WAITING = 2
    READY = 3
    RUNNING = 4
    FAILED = 5
    BLOCKED = 6
    HELD = 7


class Queue:
    """The stages still to run, in the order in which they should start.

    ``missing`` are the stages to run, ``done`` the addresses whose output is there. ``group`` sorts what is
    ready into groups (resource shapes) that are taken from separately. ``durations`` are expected seconds by
    stage name; a stage without any counts as one second.
    """

    def __init__(
        self,
        graph: Graph,
        missing: Iterable[int],
        done: Container[str],
        *,
        group: Callable[[int], Hashable] = lambda stage: None,
        durations: Mapping[str, float] | None = None,
    ) -> None:
        self._graph = graph
        self._children = graph.children()
        self._group = group
        self._state = bytearray(len(graph))
        for stage, address in enumerate(graph.addresses):
            if address in done:
                self._state[stage] = State.DONE
        self._needed = sorted(set(missing))
        for stage in self._needed:
            self._state[stage] = State.WAITING
        self._counts = [self._state.count(state) for state in State]
        self._unmet = [0] * len(graph)
        self._ready: dict[Hashable, list[tuple[float, int]]] = {}
        self._group_of: dict[int, Hashable] = {}
        self._group_sizes: Counter[Hashable] = Counter()
        self._blocked: dict[int, int] = {}
        self._held: frozenset[int] = frozenset()
        self._preferred: dict[Hashable, deque[int]] = {}
        self._seconds = dict(durations or {})
        self._remaining = self._paths()
        for stage in self._needed:
            self._settle(stage)

    def _paths(self) -> list[float]:
        """For each stage the seconds of the longest chain of needed stages that starts with it."""
        remaining = [0.0] * len(self._graph)
        for stage in reversed(self._needed):
            remaining[stage] += self._seconds.get(self._graph.stage_name(stage), 1.0)
            for parent in self._graph.parents(stage):
                remaining[parent] = max(remaining[parent], remaining[stage])
        return remaining

    def __len__(self) -> int:
        """How many stages are not over yet: they wait, are ready, held or run."""
        return sum(self._counts[state] for state in (State.WAITING, State.READY, State.RUNNING, State.HELD))

    def state(self, stage: int) -> State:
        """Where ``stage`` stands."""
        return State(self._state[stage])

    def count(self, state: State) -> int:
        """How many stages of the plan are in ``state``."""
        return self._counts[state]

    def blocked(self) -> Mapping[int, int]:
        """Each blocked stage with the failed one it depends on."""
        return self._blocked

    def groups(self) -> Iterator[Hashable]:
        """The groups with something ready, the one with the longest remaining path first."""
        heads = [(self._head(group), group) for group in list(self._ready)]
        found = [(head, group) for head, group in heads if head is not None]
        return (group for _, group in sorted(found, key=lambda pair: pair[0]))

    def ready(self, group: Hashable = None) -> int:
        """How many stages of ``group`` are ready."""
        return self._group_sizes[group]

    def urgency(self, group: Hashable = None) -> float:
        """The seconds of the longest path that starts in a ready stage of ``group``; 0 without any."""
        head = self._head(group)
        return -head[0] if head else 0.0

    def peek(self, group: Hashable = None) -> int | None:
        """The most urgent ready stage of ``group``; None if none is ready."""
        head = self._head(group)
        return None if head is None else head[1]

    def take(self, group: Hashable = None) -> int | None:
        """The most urgent ready stage of ``group``, now running; None if none is ready."""
        head = self._head(group)
        if head is None:
            return None
        self._move(head[1], State.RUNNING)
        return head[1]

    def upcoming(self, group: Hashable, count: int) -> list[int]:
        """The next ``count`` ready stages of ``group``, or all there are, in the order in which they go."""
        heap = self._ready.get(group, [])
        preferred = (s for s in self._preferred.get(group, ()) if self._group_of.get(s, self) == group)
        found: dict[int, None] = dict.fromkeys(preferred)
        frontier = [(heap[0], 0)] if heap else []
        while frontier and len(found) < count:
            (_, stage), place = heapq.heappop(frontier)
            if self._group_of.get(stage, self) == group:
                found[stage] = None
            for below in (2 * place + 1, 2 * place + 2):
                if below < len(heap):
                    heapq.heappush(frontier, (heap[below], below))
        return list(found)[:count]

    def prefer(self, stages: Iterable[int]) -> None:
        """Let those of ``stages`` that are ready go first, in this order, and no others."""
        self._preferred = {}
        for stage in stages:
            if self._state[stage] == State.READY:
                self._preferred.setdefault(self._group_of[stage], deque()).append(stage)

    def hold(self, stages: Collection[int]) -> None:
        """Leave ``stages``, and no others, to somebody else: they are not ready, whatever they wait for."""
        before, self._held = self._held, frozenset(stages)
        for stage in sorted(before - self._held):
            if self._state[stage] == State.HELD:
                self._push(stage)
        for stage in self._held - before:
            if self._state[stage] == State.READY:
                self._move(stage, State.HELD)

    def found(self, stage: int) -> bool:
        """Somebody else made the output of ``stage``; whether that was still waited for here."""
        waited = self._state[stage] in (State.WAITING, State.READY, State.HELD)
        if waited:
            self.done(stage)
        return waited

    def done(self, stage: int) -> None:
        """The output of ``stage`` is there: what waited only for it becomes ready."""
        self._move(stage, State.DONE)
        for child in set(self._children[stage]):
            if self._state[child] == State.WAITING:
                self._unmet[child] -= 1
                if not self._unmet[child]:
                    self._push(child)

    def put_back(self, stage: int) -> None:
        """The running ``stage`` must run again; it waits if something it reads was put back meanwhile."""
        assert self._state[stage] == State.RUNNING
        self._move(stage, State.WAITING)
        self._settle(stage)

    def fail(self, stage: int) -> list[int]:
        """``stage`` is given up; the stages this blocks, which are all that still needed it."""
        self._move(stage, State.FAILED)
        return self._block_below(stage, stage)

    def reinstate(self, stage: int) -> list[int]:
        """The output of the done ``stage`` is gone: it runs again, and first what it reads that is gone too.

        What comes back are the stages this adds to the run; none if it is in it already.
        """
        added: list[int] = []
        if self._state[stage] not in (State.DONE, State.UNNEEDED):
            return added
        self._move(stage, State.UNNEEDED)
        found = deque([stage])
        while found:
            current = found.popleft()
            if self._state[current] == State.UNNEEDED:
                self._move(current, State.WAITING)
                added.append(current)
                found.extend(self._graph.parents(current))
        for current in added:
            self._lift(current)
            for child in set(self._children[current]):
                if self._state[child] in (State.READY, State.HELD):
                    self._move(child, State.WAITING)
                    self._unmet[child] = 0
                if self._state[child] == State.WAITING:
                    self._unmet[child] += 1
        for current in sorted(added):
            self._settle(current)
        return added

    def _lift(self, stage: int) -> None:
        """Give a stage that joins the run the remaining path it should have had from the start."""
        needed = (
            child for child in self._children[stage] if self._state[child] not in (State.DONE, State.UNNEEDED)
        )
        longest = max((self._remaining[child] for child in needed), default=0.0)
        self._remaining[stage] = longest + self._seconds.get(self._graph.stage_name(stage), 1.0)

    def _settle(self, stage: int) -> None:
        """Make a waiting stage ready, waiting or blocked, by what it reads."""
        parents = set(self._graph.parents(stage))
        for parent in parents:
            if self._state[parent] in (State.FAILED, State.BLOCKED):
                self._block(stage, self._blocked.get(parent, parent))
                self._block_below(stage, self._blocked[stage])
                return
        self._unmet[stage] = sum(self._state[parent] != State.DONE for parent in parents)
        if not self._unmet[stage]:
            self._push(stage)

    def _push(self, stage: int) -> None:
        if stage in self._held:
            self._move(stage, State.HELD)
            return
        group = self._group_of[stage] = self._group(stage)
        self._move(stage, State.READY)
        heapq.heappush(self._ready.setdefault(group, []), (-self._remaining[stage], stage))

    def _block_below(self, stage: int, failed: int) -> list[int]:
        """Block whatever still needs ``stage``; what that is."""
        blocked = []
        found = deque([stage])
        while found:
            for child in self._children[found.popleft()]:
                if self._state[child] in (State.WAITING, State.READY, State.HELD):
                    self._block(child, failed)
                    blocked.append(child)
                    found.append(child)
        return blocked

    def _block(self, stage: int, failed: int) -> None:
        self._move(stage, State.BLOCKED)
        self._blocked[stage] = failed

    def _head(self, group: Hashable) -> tuple[float, int] | None:
        """The first of what is preferred or else of the heap; what is not ready is dropped on the way."""
        preferred = self._preferred.get(group)
        while preferred:
            if self._group_of.get(preferred[0], self) == group:
                return -self._remaining[preferred[0]], preferred[0]
            preferred.popleft()
        heap = self._ready.get(group)
        while heap:
            # A stage that was taken or waits again left its entry behind; by now it may be in another group.
            if self._group_of.get(heap[0][1], self) == group:
                return heap[0]
            heapq.heappop(heap)
        return None

    def _move(self, stage: int, state: State) -> None:
        before = self._state[stage]
        if state == State.READY:
            self._group_sizes[self._group_of[stage]] += 1
        elif before == State.READY:
            self._group_sizes[self._group_of.pop(stage)] -= 1
        self._state[stage] = state
        self._counts[before] -= 1
        self._counts[state] += 1
