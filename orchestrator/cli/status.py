"""``sparsweep status``: how far a sweep is, from its store alone."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Iterator

from orchestrator.cli.asked import Asked
from orchestrator.cli.run import show_command
from orchestrator.monitor.durations import clock, roughly
from orchestrator.monitor.history import events_of, may_be_alive
from orchestrator.monitor.presence import Driver, drivers_of
from orchestrator.monitor.snapshot import Snapshot, snapshot
from orchestrator.plan import Plan
from orchestrator.report.ancestry import stale_in
from orchestrator.storage import Store

STATES = {
    "new": "never run",
    "running": "running",
    "lost": "stopped without a word (its driver is gone); `sparsweep run` continues",
    "done": "the last run is over",
    "failed": "the last run is over, with failures",
    "interrupted": "interrupted; `sparsweep run` continues",
}
LINES = 20


def show_status(asked: Asked, as_json: bool) -> int:
    """Print how far a sweep file is."""
    store = asked.open_store()
    name = asked.plan.sweep.name
    drivers = drivers_of(store, name)
    live = [run for run, driver in drivers.items() if driver.alive]
    events = events_of(store, name, live)
    done = store.listing()  # listed last: what finished since an event was read is done
    found = snapshot(
        asked.plan, done, events, time.time(), bool(live) or (not drivers and may_be_alive(events))
    )
    old = stale_in(asked.plan, store, done)
    if as_json:
        count = None if old is None else len(old)
        data = found.to_json() | {"stale": count, "stale_stages": sorted(old or ())}
        data["drivers"] = [driver.to_json() for driver in drivers.values()]
        print(json.dumps(data, indent=1, ensure_ascii=False))
    else:
        print("\n".join([*head(found, store, list(drivers.values())), "", *lines(found, store)]))
        if old:
            print("\n".join(stale_lines(asked.plan, old)))
    return 0


def stale_lines(plan: Plan, old: Collection[str]) -> Iterator[str]:
    """What is stale, for people."""
    yield f"stale    {len(old):,} done, but what they were made from has been rebuilt differently since"
    for address in sorted(old, key=plan.id_of)[:LINES]:
        yield f"  {address}  {plan.job(plan.id_of(address)).label}"
    if len(old) > LINES:
        yield f"  and {len(old) - LINES:,} more (--json has them all)"


def head(found: Snapshot, store: Store, drivers: Collection[Driver]) -> Iterator[str]:
    """The state of a sweep for people, and who is at work on it or was when last heard of."""
    yield f"{found.name}: {STATES[found.state]}, store {store.uri}"
    if found.state == "running":
        pace = f", about {roughly(found.eta_seconds)} left" if found.eta_seconds is not None else ""
        yield f"for {clock(found.seconds)}{pace}"
    for driver in drivers if found.state in ("running", "lost") else ():
        gone = "" if driver.alive else ", gone"
        heard = f"last heard of {roughly(driver.silent_seconds)} ago"
        yield f"driver {driver.host}/{driver.pid} (run {driver.run}): {heard}{gone}"


def lines(found: Snapshot, store: Store) -> Iterator[str]:
    """The snapshot for people."""
    yield f"done     {found.done:,} of {found.total:,}"
    yield f"running  {len(found.running):,}"
    for item in found.running[:LINES]:
        steps = f"  {item.done}/{item.total}" if item.total else ""
        yield f"  {item.label}{steps}  {clock(item.seconds)}"
    yield f"failed   {len(found.failed):,}"
    for failed in found.failed[:LINES]:
        yield f"  {failed.label}: {failed.reason}\n    {show_command(failed.address, store)}"
    if len(found.failed) > LINES:
        yield f"  and {len(found.failed) - LINES:,} more (--json has them all)"
    yield f"blocked  {len(found.blocked):,}"
    labels = {failed.address: failed.label for failed in found.failed}
    for by, count in Counter(found.blocked.values()).most_common(LINES):
        yield f"  {count:,} by {labels.get(by, by)}"
    yield f"missing  {found.missing:,}"
