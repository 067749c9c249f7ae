"""One try of one stage, the same for every engine: fetch, build, run, check, publish."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from orchestrator.build import build_class, find
from orchestrator.engine.control import Checkpoints, Report, Steps
from orchestrator.engine.inputs import Lost, fetch
from orchestrator.engine.measure import numbers, peak_memory_bytes, reset_peak_memory
from orchestrator.engine.provenance import Provenance
from orchestrator.engine.retry import Trouble
from orchestrator.errors import OutputDamaged, SpecError, StoreError
from orchestrator.journal import without_secrets
from orchestrator.plan.job import Job
from orchestrator.stage import Stage, Stop, Workspace
from orchestrator.storage import Store

LOG = logging.getLogger("sparsweep.stage")

#: How a try ended. ``elsewhere``: somebody else published the output; ``stopped``: because we asked for it;
#: ``returned``: the worker did not begin it.
Ending = Literal["done", "elsewhere", "stopped", "returned"] | Trouble


@dataclass(frozen=True, slots=True)
class Settings:
    """What all stages of a run have in common; travels to every worker."""

    provenance: Provenance = field(default_factory=Provenance)
    checkpoint_seconds: float = 30.0
    debug: bool = False
    """Let a stage's exception through, for a debugger."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try of a stage ended."""

    ending: Ending
    seconds: float = 0.0
    reason: str = ""
    """One line."""
    traceback: str = ""
    lost: str = ""
    """The address of the input that is not there."""
    notes: tuple[str, ...] = ()
    """What people should hear although it stopped nothing."""
    spoiled: bool = False
    """Whether the worker runs nothing any more."""


class Rejected(Exception):
    """The stage cannot be built or published as what it is: that would be so on every worker."""


def execute(
    job: Job,
    store: Store,
    settings: Settings,
    *,
    gpus: float = 0.0,
    stop: threading.Event | None = None,
    report: Callable[[Report], None] = lambda report: None,
) -> Outcome:
    """Run the stage of ``job`` and publish its output; what the stage raises is an outcome, except in debug.

    ``gpus`` is the share it really holds. When ``stop`` is set the stage is asked to save its state and end.
    """
    stop = stop or threading.Event()
    began = time.perf_counter()
    checkpoints = Checkpoints(store, job.address, settings.checkpoint_seconds, stop, log=LOG)
    ending: Ending = "done"
    reason = trace = lost = ""
    try:
        if _is_done(store, job):
            ending = "elsewhere"
        else:
            _Try(job, store, settings, gpus, checkpoints, Steps(report, stop, checkpoints)).run()
    except Stop:
        ending = "stopped"
    except (Exception, SystemExit) as error:
        if settings.debug:
            raise
        if _is_there_by_now(store, job):
            ending = "elsewhere"
        else:
            ending, reason, trace = _trouble(error), _line(error), _trace(error)
            lost = error.address if isinstance(error, Lost) else ""
    seconds = time.perf_counter() - began
    return Outcome(ending, seconds, reason, trace, lost, tuple(checkpoints.problems))


def device_for(gpus: float) -> str:
    """``cuda`` if a share of a GPU is held and there is one; a logical GPU has no device."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return "cuda" if gpus > 0 and not hidden and any(Path("/dev").glob("nvidia[0-9]*")) else "cpu"


def _is_done(store: Store, job: Job) -> bool:
    """Whether somebody published the output meanwhile; one whose files were dropped is made once more."""
    try:
        manifest = store.manifest(job.address)
    except OutputDamaged:  # what lies there is no manifest: publishing writes over it
        return False
    if manifest is not None and manifest.text != job.text:
        raise Rejected(f"{store.uri}: the output at {job.address} is that of another stage: {manifest.text}")
    return manifest is not None and store.is_whole(job.address)


def _is_there_by_now(store: Store, job: Job) -> bool:
    """Whether another driver published what we could not make; it also takes the checkpoints away."""
    try:
        return _is_done(store, job)
    except (StoreError, Rejected):
        return False


@dataclass(frozen=True, slots=True)
class _Try:
    job: Job
    store: Store
    settings: Settings
    gpus: float
    checkpoints: Checkpoints
    steps: Steps

    def run(self) -> None:
        started = time.time()
        stage = self._build()
        folders, records = fetch(self.job, self.store)
        with self.store.publish(self.job.address) as draft:
            space = Workspace(
                inputs=folders,
                output=draft.folder,
                scratch=draft.scratch,
                checkpoint=self.checkpoints,
                progress=self.steps,
                device=device_for(self.gpus),
                cpus=self.job.resources.cpus,
                log=LOG,
            )
            try:
                described = self._measured(stage, space)
            finally:
                self.checkpoints.wait()  # what is being saved lies in a folder that this block removes
            draft.manifest = described | {"inputs": records, "started": started, "finished": time.time()}
        self.store.clear_checkpoints(self.job.address)

    def _build(self) -> Stage:
        try:
            stage = build_class(find(self.job.package, self.job.stage), self.job.fields)
        except (SpecError, ValueError) as error:
            raise Rejected(str(error)) from error
        assert isinstance(stage, Stage)
        return stage

    def _measured(self, stage: Stage, space: Workspace) -> dict[str, Any]:
        """Run ``stage``; what its manifest says of the run and of the stage."""
        counted = reset_peak_memory()
        began = time.perf_counter()
        metrics = numbers(stage.run(space), "metric")
        space.measured.setdefault("seconds", time.perf_counter() - began)
        if counted:
            space.measured.setdefault("peak_memory_bytes", peak_memory_bytes())
        return {
            **self._identity(stage),
            "metrics": metrics,
            "measured": numbers(space.measured, "measurement"),
            "warnings": [without_secrets(warning) for warning in space.warnings],
            "fingerprints": dict(space.fingerprints),
            "device": space.device,
            "cpus": space.cpus,
        }

    def _identity(self, stage: Stage) -> Mapping[str, Any]:
        made_by = self.settings.provenance
        return {
            "stage": self.job.stage,
            "version": stage.version,
            "fields": json.loads(self.job.text)["fields"],
            "text": self.job.text,
            "node": self.job.node,
            "point": dict(self.job.point),
            "commit": made_by.commit,
            "dirty": made_by.dirty,
            "packages": dict(made_by.packages),
            "host": socket.gethostname(),
        }


def _trouble(error: BaseException) -> Trouble:
    """What kind of trouble ``error`` is. CUDA's is known by its name: torch is not imported here."""
    if isinstance(error, Lost):
        return "lost"
    if isinstance(error, Rejected):
        return "rejected"
    if isinstance(error, StoreError):
        # A value that no store can hold is the stage's mistake; anything else may be over in a while.
        return "error" if isinstance(error.__cause__, ValueError | TypeError) else "store"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "store"  # the scratch folder is full: every stage would fail, and somebody may make room
    if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return "memory"
    return "error"


def _line(error: BaseException) -> str:
    """The error in one line, for people: this process alone knows its secrets, so they are hidden here."""
    lines = [line.strip() for line in without_secrets(str(error)).splitlines() if line.strip()]
    kind = [] if isinstance(error, Lost | Rejected) else [type(error).__name__]
    return ": ".join([*kind, *(["; ".join(lines[:10])[:500]] if lines else [])])


def _trace(error: BaseException) -> str:
    """The traceback from the stage on, without the frames of this file."""
    shown = error.__cause__ or error if isinstance(error, Lost | Rejected) else error
    frames = shown.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__ and frames.tb_next:
        frames = frames.tb_next
    return without_secrets("".join(traceback.format_exception(type(shown), shown, frames)))
