"""``sparsweep store copy``: what one store has and another lacks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.api import store_for
from orchestrator.cli.guard import DONE, FAILED, say
from orchestrator.cli.store.given import Given, amount, counted, existing, told
from orchestrator.errors import InputError
from orchestrator.monitor.durations import took
from orchestrator.storage import Store
from orchestrator.storage.inventory import take_stock
from orchestrator.storage.transfer import Copied, copy_checkpoint, copy_outputs, copy_runs, lacking


def copy_store(source_uri: str, target_uri: str, files: Sequence[Path]) -> int:
    """Copy what ``target`` lacks; what could not be copied is printed, a line each.

    Raises:
        InputError: both are the same store, or one cannot be used.
    """
    given = Given(files, None)
    sweep = given.plans[0].sweep if given.plans else None
    source = existing(store_for(sweep, source_uri, write=False))
    target = store_for(sweep, target_uri)
    if (source.uri, source.config.endpoint) == (target.uri, target.config.endpoint):
        raise InputError(f"store copy: {source.uri} is both the source and the target")
    began = time.monotonic()
    copied = list(everything(source, target, given))
    failed = [item for item in copied if item.problem is not None]
    counts = Counter(item.kind for item in copied if item.problem is None)
    size = sum(item.size for item in copied)
    say(
        f"Copied {counted(counts['output'], 'output')}, {counted(counts['checkpoint'], 'checkpoint')} and"
        f" {counted(counts['run'], 'object')} of runs to {target.uri}: {amount(size)} in"
        f" {took(time.monotonic() - began)}."
    )
    if failed:
        say(
            f"{counted(len(failed), 'output')} could not be copied."
            f" `sparsweep store verify --quarantine --store {source.uri}` takes damaged ones out of it."
        )
    return FAILED if failed else DONE


def everything(source: Store, target: Store, given: Given) -> Iterator[Copied]:
    """What became of each thing, outputs first; failures are printed."""
    here, there = take_stock(source), take_stock(target)
    ours = source.manifests(here.manifests, here.listed)
    theirs = target.manifests(there.manifests, there.listed)
    wanted = given.referred() if given.plans else None
    missing = [item for item in lacking(here, there, ours, theirs) if wanted is None or item in wanted]
    for copied in told(copy_outputs(source, target, missing), len(missing), "copied"):
        if copied.problem is not None:
            print(f"{copied.name}  {copied.problem}", flush=True)
        yield copied
    done = {*here.manifests, *there.manifests}
    for address in here.checkpoints:
        if address not in done and (wanted is None or address in wanted):
            checkpoint = copy_checkpoint(source, target, address)
            if checkpoint is not None:
                yield checkpoint
    names = {plan.sweep.name for plan in given.plans} or {run.sweep for run in here.runs}
    yield from copy_runs(source, target, sorted(names))
