"""``sparsweep store verify``: every size and every sha256, read anew."""

from __future__ import annotations

import time

from orchestrator.cli.guard import DONE, FAILED, say
from orchestrator.cli.store.given import Given, amount, counted, told
from orchestrator.monitor.durations import took
from orchestrator.storage import Store
from orchestrator.storage.collect import Waste, remove
from orchestrator.storage.inventory import take_stock
from orchestrator.storage.verify import Checked, check


def verify_store(given: Given, quarantine: bool) -> int:
    """Print what is damaged, a line each; with ``quarantine``, take it out of the store."""
    store = given.open_store(write=quarantine)
    began = time.monotonic()
    stock = take_stock(store)
    wanted = given.referred() if given.plans else None
    total = sum(wanted is None or address in wanted for address in stock.manifests)
    damaged, outputs, checkpoints, size, dropped = [], 0, 0, 0, 0
    for found in told(check(store, stock, wanted), total, "checked"):
        outputs += found.checkpoint is None
        checkpoints += found.checkpoint is not None
        size += found.size
        dropped += found.dropped
        if found.problem is not None:
            damaged.append(found)
            what = "checkpoint" if found.checkpoint else found.stage or "output"
            print(f"{found.address}  {what}  {found.problem}", flush=True)
            if quarantine:
                take_out(store, found)
    say(
        f"{store.uri}: {counted(outputs, 'output')} and {counted(checkpoints, 'checkpoint')} checked,"
        f" {amount(size)} in {took(time.monotonic() - began)}; {len(damaged):,} damaged."
    )
    if dropped:
        say(f"{counted(dropped, 'output')} without files: they were dropped, and are made again when needed.")
    if damaged and quarantine:
        say("What is damaged was taken out of the store; the next run makes again what it needs of it.")
    elif damaged:
        say(
            "The same command with --quarantine takes it out of the store; the next run makes again what it"
            " needs of it."
        )
    return FAILED if damaged else DONE


def take_out(store: Store, found: Checked) -> None:
    """Take what is damaged out of the store; of an output the manifest is kept aside."""
    if found.checkpoint is None:
        store.quarantine(found.address, found.problem or "")
    else:
        remove(store, Waste("checkpoint", found.address, found.checkpoint.name, 0))
