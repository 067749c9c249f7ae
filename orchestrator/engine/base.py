"""What every engine promises: to drain a plan into a store and to say how that ended."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import final

from orchestrator.engine.provenance import provenance
from orchestrator.engine.run import Run
from orchestrator.engine.work import Event, Failure, Journal, Summary, Work
from orchestrator.engine.worker import Settings
from orchestrator.plan import Plan
from orchestrator.plan.payload import to_run
from orchestrator.storage import Store


@dataclass(frozen=True)
class Engine(ABC):
    """A way to run stages."""

    checkpoint_seconds: float = 30.0
    """How often a long stage is asked to save its state."""
    beat_seconds: float = 5.0
    """How often other drivers on the store hear what this one runs; six missing beats mean it is gone."""

    @final
    def drain(
        self,
        plan: Plan,
        store: Store,
        journal: Journal,
        *,
        durations: Mapping[str, float] | None = None,
        skip: Collection[str] = (),
        listener: Callable[[Event], None] | None = None,
        run: str | None = None,
    ) -> Summary:
        """Run what is missing of ``plan``, each stage once, and put its output into ``store``.

        ``durations`` are measured seconds by stage name; stages at addresses in ``skip`` are not tried.
        ``run`` is the id under which other drivers on the store hear of this one, by default a new one; what
        they run meanwhile is left to them. Nothing is started when nothing is missing. A stage that fails is
        in the summary; it raises nothing.

        Raises:
            InputError: a stage asks for what no machine here has; nothing was started.
            StoreError: the store cannot be listed.
        """
        done = store.done()
        missing, again = to_run(plan, done, store.dropped)
        if not missing:
            return Summary()
        work = Work(plan, store, journal, done - again, missing, durations or {}, skip, listener, again)
        return self._drain(replace(work, run=run or work.run, beat_seconds=self.beat_seconds))

    @abstractmethod
    def _drain(self, work: Work) -> Summary:
        """Run ``work``, of which something is missing."""

    def _settings(self, *, debug: bool = False) -> Settings:
        return Settings(provenance(), self.checkpoint_seconds, debug)


def tell(run: Run, text: str) -> None:
    """Say ``text`` in the journal and to the person who started this."""
    run.note(text)
    print(text, file=sys.stderr, flush=True)


__all__ = ["Engine", "Event", "Failure", "Journal", "Summary", "Work", "tell"]
