"""``sparsweep store gc``: what of a store is of no use any more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.cli.guard import DONE, say
from orchestrator.cli.store.given import Given, amount, counted, told
from orchestrator.errors import InputError
from orchestrator.report.ancestry import stale
from orchestrator.storage import Store
from orchestrator.storage.beats import Heard, hear
from orchestrator.storage.collect import WHY, Rules, Waste, dead_scratch, find_waste, remove
from orchestrator.storage.inventory import take_stock


@dataclass(frozen=True)
class Choice:
    """What to collect."""

    orphans: bool
    stale: bool
    payload: bool
    yes: bool


def collect_garbage(given: Given, choice: Choice) -> int:
    """Print what can go, a line each; with ``yes``, remove it.

    Raises:
        InputError: nothing says what is wanted, or a driver is at work that may want what no file refers to.
    """
    if bool(given.files) == choice.orphans:
        raise InputError(
            "store gc: name all sweep files whose results you want to keep, or --orphans to remove only what"
            " belongs to no output" + ("; not both" if choice.orphans else "")
        )
    if choice.orphans and (choice.stale or choice.payload):
        raise InputError("store gc: --stale and --payload are about outputs; they go with sweep files")
    store = given.open_store(write=choice.yes)
    now = store.now()
    drivers = {run: heard for run, heard in hear(store).items() if heard.is_fresh(now)}
    if drivers and given.files:
        busy_store(store, drivers, choice.yes)
    found, young = waste_in(store, given, choice, now, drivers)
    show(found)
    if young:
        say(f"{counted(young, 'more thing')} younger than an hour: a driver may be at work there.")
    if not choice.yes:
        if found:
            say("Nothing was removed: the same command with --yes removes it.")
        return DONE
    with ThreadPoolExecutor(store.bucket.parallel) as threads:
        gone = list(told(threads.map(partial(remove, store), found), len(found), "removed"))
    size = sum(waste.size for waste, is_gone in zip(found, gone, strict=True) if is_gone)
    say(f"Removed {amount(size)}.")
    if not all(gone):
        say(f"{counted(gone.count(False), 'thing')} changed meanwhile and stayed.")
    return DONE


def waste_in(
    store: Store, given: Given, choice: Choice, now: float, drivers: Mapping[str, Heard]
) -> tuple[list[Waste], int]:
    """Everything that can go, and how much more there would be if it were not so young."""
    beats = [heard.beat for heard in drivers.values()]
    busy = {address for beat in beats for address in (*beat.running, *beat.upcoming)}
    scratch = list(dead_scratch(store, now))
    stock = take_stock(store)
    referred = None if choice.orphans else given.referred()
    manifests = store.manifests(stock.manifests, stock.listed)
    if choice.stale and referred is not None:
        referred -= set[str]().union(*(stale(plan, manifests) for plan in given.plans))
    rules = Rules(now, referred, busy, choice.payload)
    found = list(find_waste(stock, manifests, rules))
    young = sum(1 for _ in find_waste(stock, manifests, replace(rules, now=math.inf))) - len(found)
    return [*scratch, *found], young


def busy_store(store: Store, drivers: Mapping[str, Heard], yes: bool) -> None:
    """Say that drivers are at work.

    Raises:
        InputError: something is to be removed.
    """
    names = ", ".join(sorted(f"{heard.beat.sweep} (run {run})" for run, heard in drivers.items()))
    text = (
        f"{store.uri}: being worked on by {names}, which may need outputs that no given file refers to;"
        " wait until it is over, or remove only --orphans"
    )
    if yes:
        raise InputError(text)
    say(text)


def show(found: Sequence[Waste]) -> None:
    """A line for each thing on stdout; on stderr how many of each kind, their bytes, and why."""
    for waste in found:
        name = "" if waste.kind == "output" else waste.name
        print(f"{waste.kind:<10}  {waste.address or '-':<16}  {amount(waste.size):>9}  {waste.stage or name}")
    kinds = Counter(waste.kind for waste in found)
    for kind, count in kinds.items():
        size = sum(waste.size for waste in found if waste.kind == kind)
        say(f"{counted(count, kind)}, {amount(size)}: {WHY[kind]}")
    if not found:
        say("Nothing to remove.")
