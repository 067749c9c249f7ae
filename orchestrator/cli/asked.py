"""What every command about a sweep is given: which file, which trials of it, and where results are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.api import load, store_for
from orchestrator.plan import Plan
from orchestrator.storage import Store


@dataclass(frozen=True)
class Asked:
    """The options that commands share. Its methods raise `InputError` for what is wrong with them."""

    file: Path
    store: str | None
    where: Sequence[str]
    settings: Sequence[str]
    yes: bool

    @cached_property
    def plan(self) -> Plan:
        """The plan of the trials that were asked for."""
        return load(self.file, set_=self.settings, yes=self.yes).plan(self.where)

    def open_store(self, write: bool = False) -> Store:
        """The store that was asked for; only what is there is needed unless ``write``."""
        return store_for(self.plan.sweep, self.store, write=write)
