"""What the commands about a store are given: sweep files and where the store is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from orchestrator.api import store_for
from orchestrator.cli.asked import Asked
from orchestrator.errors import InputError
from orchestrator.plan import Plan
from orchestrator.storage import Store

T = TypeVar("T")

#: How often a long command says how far it is.
SAY_SECONDS = 5.0
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True)
class Given:
    """Sweep files and a uri. Its methods raise `InputError` for what is wrong with them."""

    files: Sequence[Path]
    uri: str | None

    @cached_property
    def plans(self) -> list[Plan]:
        """The plans of the sweep files; that they are large was agreed to when they were run."""
        return [Asked(file, self.uri, [], [], yes=True).plan for file in self.files]

    def referred(self) -> set[str]:
        """The addresses that any of the sweep files refers to."""
        return set[str]().union(*(plan.referred() for plan in self.plans))

    def open_store(self, *, write: bool = False) -> Store:
        """The store of the uri, else that of the files."""
        places = {plan.sweep.store for plan in self.plans}
        if self.uri is None and len(places) > 1:
            names = ", ".join(sorted(place.uri if place else "results" for place in places))
            raise InputError(f"the sweep files have different stores ({names}); choose one with --store")
        return existing(store_for(self.plans[0].sweep if self.plans else None, self.uri, write=write))


def existing(store: Store) -> Store:
    """``store`` if there is one.

    Raises:
        InputError: it is a folder that does not exist.
    """
    if "://" not in store.config.uri and not Path(store.uri).is_dir():
        raise InputError(f"store {store.uri}: there is no such folder; name another place")
    return store


def amount(size: float) -> str:
    """Bytes as people read them: ``1.5 MB``."""
    for unit in UNITS:
        if size < 999.5 or unit == UNITS[-1]:  # noqa: PLR2004 - three digits, then the next unit
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("the last unit takes all")


def counted(count: int, noun: str) -> str:
    """``1 output``, ``2 outputs``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def told(items: Iterable[T], total: int, verb: str) -> Iterator[T]:
    """``items``, while it is said now and then on stderr how many of ``total`` they were."""
    said = time.monotonic()
    for number, item in enumerate(items, 1):
        if time.monotonic() - said >= SAY_SECONDS:
            said = time.monotonic()
            print(f"{verb} {number:,} of {total:,}", file=sys.stderr, flush=True)
        yield item
