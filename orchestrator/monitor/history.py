"""What earlier runs left behind: their events, what failed in them, how long stages took."""

from __future__ import annotations

import os
import socket
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from orchestrator.journal import read_journal, runs
from orchestrator.monitor.tally import Tally

if TYPE_CHECKING:
    from orchestrator.plan import Plan
    from orchestrator.storage import Store

#: So many finished stages of a name say how long one takes.
SAMPLE = 20


def events_of(store: Store, sweep_name: str, live: Collection[str] = ()) -> list[dict[str, Any]]:
    """The events of all runs of a sweep, run after run.

    Those of the ``live`` runs, which several drivers may be making at once, come last, as if of one run.
    """
    known = runs(store, sweep_name)
    over = [event for run in known if run not in live for event in read_journal(store, sweep_name, run)]
    now = [event for run in known if run in live for event in read_journal(store, sweep_name, run)]
    now.sort(key=itemgetter("at"))
    first = next((event for event in now if event["kind"] == "opened"), None)
    return [*over, *(event for event in now if event["kind"] != "opened" or event is first)]


def failed_before(plan: Plan, store: Store, done: Collection[str]) -> frozenset[str]:
    """The addresses of ``plan`` whose last attempt failed."""
    tally = Tally(plan, done, settled=True)
    for event in events_of(store, plan.sweep.name):
        tally.apply(event)
    return frozenset(tally.failed)


def expected_seconds(plan: Plan, store: Store, done: Collection[str]) -> dict[str, float]:
    """Stage name -> the mean seconds of a few that are done."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for stage, address in enumerate(plan.addresses):
        found = by_name[plan.stage_name(stage)]
        if len(found) < SAMPLE and address in done:
            found.append(address)
    manifests = store.manifests(address for found in by_name.values() for address in found)
    seconds: dict[str, list[float]] = defaultdict(list)
    for manifest in manifests.values():
        seconds[manifest.stage].append(max(0.0, manifest.finished - manifest.started))
    return {name: sum(found) / len(found) for name, found in seconds.items()}


def may_be_alive(events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the driver of the last run may still be there: not if it ran here and its process is gone.

    For runs that left no heartbeat.
    """
    opened: Mapping[str, Any] = next(
        (event for event in reversed(events) if event.get("kind") == "opened"), {}
    )
    if opened.get("host") != socket.gethostname() or not isinstance(opened.get("pid"), int):
        return True
    try:
        os.kill(opened["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is there and somebody else's
        return True
    return True
