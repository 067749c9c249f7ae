"""The Python API, which the command line uses too: read a sweep, run its plan, get the results."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from orchestrator.engine.dropping import drop_unread
from orchestrator.engine.work import Summary
from orchestrator.errors import InputError, StoreError, unknown
from orchestrator.journal import Journal, new_run_id
from orchestrator.monitor.history import expected_seconds, failed_before
from orchestrator.plan.payload import to_run
from orchestrator.report.rows import read
from orchestrator.spec import load
from orchestrator.storage import Store, StoreConfig, open_store

if TYPE_CHECKING:
    import pandas

    from orchestrator.engine.base import Engine
    from orchestrator.plan import Plan
    from orchestrator.spec import Sweep

STORE = "results"
ENGINES = ("ray", "inline")

Listener = Callable[[dict[str, Any]], None]
Place = Store | StoreConfig | str | Path


def run(
    plan: Plan,
    store: Place | None = None,
    *,
    engine: Literal["ray", "inline"] = "ray",
    address: str | None = None,
    workers: int | None = None,
    checkpoint_seconds: float = 30.0,
    skip_failed: bool = False,
    debug: bool = False,
    listener: Listener | None = None,
) -> Summary:
    """Run what is missing of ``plan`` and say how it ended; a stage that fails raises nothing.

    Args:
        store: where outputs are kept; by default what the sweep file says, else the folder ``results``.
        engine: ``ray`` for a pool of workers, ``inline`` for this process.
        address: a Ray cluster to join; without one Ray starts on this machine.
        workers: how many at most; by default as many as there is room for.
        checkpoint_seconds: how often a long stage saves its state.
        skip_failed: leave out what failed before instead of trying it again.
        debug: inline only: let the exception of a stage through as it is.
        listener: called with every event of the journal as it happens, from any thread.

    Raises:
        InputError: the store or the engine cannot be used as asked; nothing was started.
        StoreError: the store cannot be read or written any more.
    """
    place = store_for(plan.sweep, store)
    chosen = make_engine(engine, address, workers, checkpoint_seconds, debug)
    done = place.done()
    missing, _ = to_run(plan, done, place.dropped)
    if not missing:
        drop_unread(plan, place)
        return Summary()
    opened = {
        "engine": engine,
        "total": len(plan),
        "missing": len(missing),
        "argv": sys.argv,
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    run_id = new_run_id()
    journal = _Opening(place, plan.sweep, run_id, opened)
    if listener is not None:
        listener({"kind": "opened", "at": time.time(), **opened})
    outcome = "failed"
    try:
        summary = chosen.drain(
            plan,
            place,
            journal,
            durations=expected_seconds(plan, place, done),
            skip=failed_before(plan, place, done) if skip_failed else (),
            listener=listener,
            run=run_id,
        )
        outcome = "interrupted" if summary.interrupted else "failed" if summary.failed else "done"
    except KeyboardInterrupt:
        outcome = "interrupted"
        raise
    finally:
        journal.close(outcome)
    return summary


def results(plan: Plan, store: Place | None = None) -> pandas.DataFrame:
    """One row per trial, output and metric; what is missing has no rows.

    The columns are the axes, the nodes' own keys as ``node.key``, then ``node``, ``metric`` with its split,
    ``value``, ``address``, ``warnings`` and ``stale``.

    Raises:
        InputError: the store cannot be read.
    """
    return read(plan, store_for(plan.sweep, store, write=False)).frame()


def store_for(sweep: Sweep | None, given: Place | None = None, *, write: bool = True) -> Store:
    """The store that was asked for, else that of the sweep file, else the folder ``results``.

    A uri of the same kind as the sweep file's keeps its endpoint, region and profile.

    Raises:
        InputError: it cannot be used.
    """
    if isinstance(given, Store):
        return given
    config = sweep.store if sweep is not None else None
    if given is None:
        return open_store(config or STORE, write=write)
    if config is not None and isinstance(given, str) and "://" in given and "://" in config.uri:
        return open_store(replace(config, uri=given), write=write)
    return open_store(given, write=write)


def make_engine(
    name: str, address: str | None, workers: int | None, checkpoint_seconds: float, debug: bool = False
) -> Engine:
    """The engine called ``name``.

    Raises:
        InputError: there is none, or what was asked for does not go with it.
    """
    if name not in ENGINES:
        raise InputError(f"--engine: {unknown('engine', name, ENGINES)}")
    if workers is not None and workers < 1:
        raise InputError(f"--workers must be at least 1, got {workers}")
    if not checkpoint_seconds > 0:
        raise InputError(f"--checkpoint-every must be more than 0 seconds, got {checkpoint_seconds}")
    if name == "inline":
        if address is not None or workers is not None:
            raise InputError(
                "--engine inline runs in this process: --address and --workers need --engine ray"
            )
        from orchestrator.engine.inline import Inline

        return Inline(checkpoint_seconds=checkpoint_seconds, debug=debug)
    from orchestrator.engine.ray_pool import RayPool

    return RayPool(checkpoint_seconds=checkpoint_seconds, address=address, workers=workers)


@final
class _Opening:
    """The journal of a run; it begins with its first event: an engine that refuses leaves no trace."""

    def __init__(self, store: Store, sweep: Sweep, run_id: str, opened: Mapping[str, Any]) -> None:
        self._store = store
        self._sweep = sweep
        self._run_id = run_id
        self._opened = opened
        self._journal: Journal | None = None

    def append(self, kind: str, **fields: Any) -> None:
        if self._journal is None:
            self._journal = Journal(self._store, self._sweep.name, self._run_id, sweep_file=self._sweep.path)
            self._journal.append("opened", **self._opened)
        self._journal.append(kind, **fields)

    def close(self, outcome: str) -> None:
        """Say how the run ended; a journal that cannot be written takes no result with it."""
        if self._journal is None:
            return
        try:
            self._journal.append("closed", outcome=outcome)
            self._journal.close()
        except StoreError as error:
            print(f"the end of the journal is lost: {error}", file=sys.stderr)


__all__ = ["load", "make_engine", "results", "run", "store_for"]
