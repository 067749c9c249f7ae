"""What every engine promises: to drain a plan into a store and to say how that ended."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import final

from orchestrator.engine.provenance import provenance
from orchestrator.engine.run import Run
from orchestrator.engine.work import Event, Failure, Journal, Summary, Work
from orchestrator.engine.worker import Settings
from orchestrator.plan import Plan
from orchestrator.storage import Store


@dataclass(frozen=True)
class Engine(ABC):
    """A way to run stages."""

    checkpoint_seconds: float = 30.0
    """How often a long stage is asked to save its state."""

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
    ) -> Summary:
        """Run what is missing of ``plan``, each stage once, and put its output into ``store``.

        ``durations`` are measured seconds by stage name; stages at addresses in ``skip`` are not tried.
        Nothing is started when nothing is missing. A stage that fails is in the summary; it raises nothing.

        Raises:
            InputError: a stage asks for what no machine here has; nothing was started.
            StoreError: the store cannot be listed.
        """
        done = store.done()
        missing = plan.missing(done)
        if not missing:
            return Summary()
        return self._drain(Work(plan, store, journal, done, missing, durations or {}, skip, listener))

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
