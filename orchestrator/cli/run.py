"""``sparsweep run``: what is missing, then the tables."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from typing import Literal, cast

from orchestrator import api
from orchestrator.cli.asked import Asked
from orchestrator.cli.guard import DONE, FAILED, INTERRUPTED, say
from orchestrator.cli.tables import print_tables
from orchestrator.engine.dropping import drop_unread
from orchestrator.engine.work import Summary
from orchestrator.monitor.durations import clock
from orchestrator.monitor.live import watch
from orchestrator.monitor.tally import Tally
from orchestrator.plan import Plan
from orchestrator.plan.payload import to_run
from orchestrator.report.render import Report, make_report
from orchestrator.storage import Store

FAILURES_SHOWN = 10
#: How a command without a sweep file is told where an S3 store is.
SETTINGS = {"endpoint": "AWS_ENDPOINT_URL", "region": "AWS_DEFAULT_REGION", "profile": "AWS_PROFILE"}


@dataclass(frozen=True)
class Options:
    """How a sweep is run."""

    engine: str
    address: str | None
    workers: int | None
    checkpoint_seconds: float
    skip_failed: bool
    plain: bool


def run_sweep(asked: Asked, options: Options) -> int:
    """Run what is missing of a sweep file and print its tables."""
    # first of all: a wrong option is said before a large file is planned
    api.make_engine(options.engine, options.address, options.workers, options.checkpoint_seconds)
    plan = asked.plan
    store = asked.open_store(write=True)
    for warning in plan.warnings:
        say(f"{asked.file}: {warning}")
    done = store.done()
    missing, again = to_run(plan, done, store.dropped)
    stages = plan.chains()
    say(
        f"{plan.sweep.name}: {len(plan.trials):,} trials need {len(plan):,} stages"
        f" ({stages:,} if nothing were shared)."
    )
    if not missing:
        report = make_report(plan, store)
        if put_aside_damaged(report, store):
            return run_sweep(asked, options)
        say(f"Nothing to run: everything is done in {store.uri}.")
        if dropped := drop_unread(plan, store):
            say(f"keep: metrics: dropped the files of {dropped:,} outputs that nothing reads any more.")
        print_tables(report)
        return DONE
    found = sum(address in done for address in plan.addresses)
    say(f"{found:,} were found done in {store.uri}, {len(missing):,} to run ({options.engine}).")
    if again:
        say(
            f"{len(again):,} of them are made once more: something new reads their files, which were dropped."
        )
    summary = drain(plan, store, done - again, options)
    if summary.interrupted:
        say(
            f"Interrupted after {clock(summary.seconds)}. {summary.done:,} stages were finished and are kept,"
            f" as are checkpoints. The same command continues:\n  {command()}"
        )
        return INTERRUPTED
    say(f"{summary.done:,} stages in {clock(summary.seconds)}.")
    report = make_report(plan, store)
    if put_aside_damaged(report, store):
        return run_sweep(asked, options)
    print_tables(report)
    return tell_failures(summary, store)


def put_aside_damaged(report: Report, store: Store) -> bool:
    """Take outputs away that count as done but whose numbers cannot be read; whether there were any.

    Nothing reads them but a report, so that no stage finds out.
    """
    unread = {planned.address for planned in report.results.planned} - report.results.manifests.keys()
    damaged = unread & store.done() if unread else unread
    for address in damaged:
        store.quarantine(address, "its manifest is damaged")
    if damaged:
        say(f"{len(damaged):,} outputs are damaged; they are put aside and made again.")
    return bool(damaged)


def drain(plan: Plan, store: Store, done: set[str], options: Options) -> Summary:
    """Run what is missing while a view follows."""
    with watch(Tally(plan, done), sys.stderr, options.plain) as view:
        return api.run(
            plan,
            store,
            engine=cast(Literal["ray", "inline"], options.engine),
            address=options.address,
            workers=options.workers,
            checkpoint_seconds=options.checkpoint_seconds,
            skip_failed=options.skip_failed,
            listener=view,
        )


def tell_failures(summary: Summary, store: Store) -> int:
    """Say what failed, why, how to see more and how to retry; the exit code comes back."""
    skipped = sum(address == by for address, by in summary.blocked.items())
    if skipped:
        say(f"{skipped:,} stages failed before and were skipped; without --skip-failed they are tried again.")
    if not summary.failed:
        return FAILED if summary.blocked else DONE
    blocked = len(summary.blocked) - skipped
    say(
        f"\n{len(summary.failed):,} failed"
        + (f"; {blocked:,} need them and did not run:" if blocked else ":")
    )
    for failure in summary.failed[:FAILURES_SHOWN]:
        twice = " (the same error twice)" if failure.repeated else ""
        say(f"  {failure.label}\n    {failure.reason}{twice}\n    {show_command(failure.address, store)}")
    if len(summary.failed) > FAILURES_SHOWN:
        say(f"  and {len(summary.failed) - FAILURES_SHOWN:,} more; `sparsweep status` names them all")
    say(f"To try them again:\n  {command()}")
    return FAILED


def show_command(address: str, store: Store) -> str:
    """The command that shows more of an output or a failure; what only the sweep file says comes first."""
    known = ((name, getattr(store.config, field)) for field, name in SETTINGS.items())
    given = [
        f"{name}={shlex.quote(value)}" for name, value in known if value and os.environ.get(name) != value
    ]
    return " ".join([*given, "sparsweep", "show", address, "--store", shlex.quote(store.uri)])


def command() -> str:
    """The command line of this process, to be typed again."""
    return shlex.join(["sparsweep", *sys.argv[1:]])
