"""A warm worker: a Ray actor that runs one stage after another, and answers while it does."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import ray

from orchestrator.engine.control import Report
from orchestrator.engine.measure import clean_up, resident_bytes
from orchestrator.engine.worker import Outcome, Settings, execute
from orchestrator.plan.job import Job
from orchestrator.stage import DATA
from orchestrator.storage import Store

#: What numerical libraries read when they are loaded.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker lives."""

    machine: str
    gpus: tuple[int, ...]
    host: str
    pid: int


#: How an actor is made of `Worker`: a dead one is replaced by the pool, which knows what it ran.
OPTIONS: dict[str, Any] = {
    "concurrency_groups": {"control": 1},
    "max_restarts": 0,
    "max_task_retries": 0,
    "enable_task_events": False,
}


def environment(cpus: float) -> dict[str, str]:
    """The variables a worker for stages of ``cpus`` sets before it imports anything that reads them.

    They are no ``runtime_env`` of Ray: for one of those a process is started, while the idle ones that every
    node keeps are there at once.

    Threads that wait for each other sleep: where more runs than there are CPUs, spinning ones keep the thread
    they wait for from running, and a training of seconds takes minutes. The folder of data sets is that of
    the driver, where it has one.
    """
    found = dict.fromkeys(THREAD_VARIABLES, str(max(1, int(cpus)))) | {"OMP_WAIT_POLICY": "PASSIVE"}
    data = os.environ.get(DATA)
    return found | {DATA: str(Path(data).expanduser().absolute())} if data else found


class Worker:
    """Runs stages in one thread, in the order in which they were sent; the group ``control`` has another.

    After an exception, or when it holds more than ``growth_bytes`` above what it began with, it runs nothing
    any more and returns what it is sent: a fresh one takes its place. So it is after a SIGTERM, which says
    that its machine is taken away: what runs is asked to save its state, and goes on elsewhere.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        gpus: float,
        growth_bytes: int,
        environment: Mapping[str, str],
    ) -> None:
        os.environ.update(environment)
        self._store = store
        self._settings = settings
        self._gpus = gpus
        self._limit_bytes = resident_bytes() + growth_bytes
        self._stop = threading.Event()
        self._spoiled = False
        self._running = ""
        self._report: Report | None = None
        self._notice = ""
        logging.basicConfig(format="%(asctime)s %(message)s")  # into the worker's file among Ray's logs
        logging.getLogger("sparsweep").setLevel(logging.INFO)
        self._heed_notices()

    def place(self) -> Place:
        """Where it lives; answers when it is ready."""
        context = ray.get_runtime_context()
        gpus = tuple(int(index) for index in context.get_accelerator_ids().get("GPU", []) if index.isdigit())
        return Place(context.get_node_id(), gpus, socket.gethostname(), os.getpid())

    def run(self, job: Job) -> Outcome:
        """One try of ``job``."""
        if self._spoiled or self._stop.is_set():
            return Outcome("returned", spoiled=True)
        self._report, self._running = None, job.address
        outcome = execute(
            job, self._store, self._settings, gpus=self._gpus, stop=self._stop, report=self._keep
        )
        self._running = ""
        if outcome.ending == "stopped":
            return replace(outcome, spoiled=True, reason=self._notice)
        self._spoiled = outcome.ending in ("error", "memory") or self._is_too_large()
        return replace(outcome, spoiled=True) if self._spoiled else outcome

    @ray.method(concurrency_group="control")
    def look(self) -> tuple[str, Report | None]:
        """The address of what runs now, and its newest report."""
        return self._running, self._report

    @ray.method(concurrency_group="control")
    def stop(self, notice: str = "") -> None:
        """Ask what runs to save its state and end, and begin nothing more.

        ``notice``: why it goes on elsewhere.
        """
        self._notice = notice
        self._stop.set()

    def _heed_notices(self) -> None:
        """Take over SIGTERM from Ray, whose own handler ends the process at once; a second one is left to it.

        Ray makes an actor in the main thread of its process, and runs what an actor with concurrency groups
        is sent in others, so that the main thread hears signals at once. Whether a notice arrives as a signal
        is up to who runs the machines: Slurm and a machine that shuts down send it to every process,
        Kubernetes to the first of a container only, Ray to none when it drains a node (that the driver sees
        itself). The checkpoints by the clock are what can be relied on.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGTERM)

        def told(number: int, frame: FrameType | None) -> None:
            if self._notice and callable(before):
                before(number, frame)
            self._notice = "its worker was told to end (SIGTERM)"
            self._stop.set()

        signal.signal(signal.SIGTERM, told)

    def _keep(self, report: Report) -> None:
        self._report = report

    def _is_too_large(self) -> bool:
        if resident_bytes() <= self._limit_bytes:
            return False
        clean_up()
        return resident_bytes() > self._limit_bytes
