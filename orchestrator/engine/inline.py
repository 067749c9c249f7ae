"""Stages one after another in this process: for debugging, and where there is nothing to run at once."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import final

from orchestrator.engine.base import Engine, tell
from orchestrator.engine.control import Report
from orchestrator.engine.run import Run
from orchestrator.engine.signals import stopping
from orchestrator.engine.work import Summary, Work
from orchestrator.engine.worker import device_for, execute

#: Between two looks at whether to go on, while a store that is away or another driver is waited for.
STEP_SECONDS = 0.2
REPORT_SECONDS = 1.0


@final
@dataclass(frozen=True)
class Inline(Engine):
    """Runs each stage here, in the order of urgency."""

    debug: bool = False
    """Let the exception of a stage through as it is, so that a debugger stops where it was raised."""

    def _drain(self, work: Work) -> Summary:
        run = Run(work)
        stop = threading.Event()
        with stopping(stop.set):
            try:
                with run.announced():
                    self._run_all(run, stop)
            except KeyboardInterrupt:
                stop.set()
        return run.summary(interrupted=stop.is_set() and len(run) > 0)

    def _run_all(self, run: Run, stop: threading.Event) -> None:
        settings = self._settings(debug=self.debug)
        said = False
        while len(run) and not stop.is_set():
            pause = run.resume()
            stage = run.take()
            if stage is None:
                stop.wait(STEP_SECONDS if pause is None else min(STEP_SECONDS, pause))
                continue
            gpus = run.job(stage).resources.gpus
            if gpus and device_for(gpus) == "cpu" and not said:
                tell(run, "there is no GPU here: stages that ask for a share of one run on the CPU")
                said = True
            run.started(stage, "inline")
            outcome = execute(
                run.job(stage), run.work.store, settings, gpus=gpus, stop=stop, report=_Teller(run, stage)
            )
            run.ended(stage, outcome, on_gpu=device_for(gpus) == "cuda")


class _Teller:
    """Passes the reports of ``stage`` on, at most one a second."""

    def __init__(self, run: Run, stage: int) -> None:
        self._run = run
        self._stage = stage
        self._next = 0.0

    def __call__(self, report: Report) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + REPORT_SECONDS
            self._run.progress(self._stage, report)
