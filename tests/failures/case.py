"""One sweep in one folder: its drivers, its store, and what its stages left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from failures.driver import COMMAND, PACKAGE, drive, forks, python_path
from failures.stages.base import VARIABLE
from failures.watch import Watch
from orchestrator.journal import read_journal, runs
from orchestrator.spec import load
from orchestrator.storage import Store, StoreConfig, open_store

SWEEP = """\
name: failures
axes:
  method: [plain, cut]
  level: [1, 2]
  seed: [0, 1]
methods:
  plain: {model: {stage: climb, steps: 40, seed: $seed}}
  cut:
    part:  {stage: trim, reads: {model: plain.model}, level: $level}
    model: {stage: climb, reads: {model: part}, steps: 20}
evaluate:
  alone:    {stage: weigh, reads: {models: [model]}}
  together: {stage: weigh, reads: {models: "model@{seed: all}"}}
timeout: {climb: 5}
tables:
  - {rows: method, columns: level, value: alone.weight}
  - {rows: method, columns: level, value: together.weight}
"""
#: 2 plain climbs, 4 cuts with 4 climbs, 6 weights alone, 3 together.
STAGES = 2 + 4 + 4 + 6 + 3
RESULTS = StoreConfig("results")


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Driver:
    """A command that runs in another process."""

    case: Case
    process: Any
    said: Path

    def end(self, seconds: float = 500.0) -> Said:
        """Wait for its end; what it said."""
        if isinstance(self.process, subprocess.Popen):
            code = self.process.wait(seconds)
        else:
            self.process.join(seconds)
            code = self.process.exitcode
        assert code is not None, f"it does not end; it said {self.read('.err')}"
        return Said(code, self.read(".out"), self.read(".err"))

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.end()

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        self.process.terminate()

    @property
    def forked(self) -> bool:
        """Whether it is a fork, and no program of its own."""
        return not isinstance(self.process, subprocess.Popen)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        if isinstance(self.process, subprocess.Popen):
            return self.process.poll() is None
        return bool(self.process.is_alive())

    @property
    def pid(self) -> int:
        """Its process."""
        return int(self.process.pid)

    def read(self, ending: str) -> str:
        file = self.said.with_suffix(ending)
        return file.read_text() if file.exists() else ""


@dataclass
class Case:
    """A sweep, where it is run, and against which store; ``seen_from`` is that store without any trouble."""

    folder: Path
    store: StoreConfig = RESULTS
    seen_from: StoreConfig | None = None
    environment: dict[str, str] = field(default_factory=dict)
    changes: tuple[Any, ...] = ()
    """What every driver does first: functions with their arguments."""
    drivers: list[Driver] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "faults").mkdir(parents=True, exist_ok=True)
        self.where.write_text(str(self.folder))
        self.write(SWEEP)

    @property
    def where(self) -> Path:
        """The file that says to stages where they leave their lines."""
        return Path(self.environment.setdefault(VARIABLE, str(self.folder / "where")))

    # The sweep

    @property
    def file(self) -> Path:
        return self.folder / "sweep.yaml"

    def write(self, text: str) -> None:
        """Make ``text`` the sweep file; its store is that of this case."""
        known = {name: value for name, value in vars(self.store).items() if value is not None}
        self.file.write_text(f"{text}store: {json.dumps(known)}\n")
        vars(self).pop("plan", None)

    @cached_property
    def plan(self) -> Any:
        return load(self.file, package=PACKAGE).plan()

    def addresses(self, node: str, **point: Any) -> list[str]:
        """The addresses of a node, at the points that agree with ``point``."""
        jobs = map(self.plan.job, range(len(self.plan)))
        return [job.address for job in jobs if job.node == node and point.items() <= job.point.items()]

    def set_pace(self, seconds: float) -> None:
        """How long a step takes from the next stage on."""
        (self.folder / "pace").write_text(str(seconds))

    def lay(self, address: str, *troubles: str) -> None:
        """Let these wait for the tries of the stage at ``address``, one for each."""
        (self.folder / "faults" / address).write_text("\n".join(troubles))

    def fix(self) -> None:
        """Take every trouble away that is left."""
        for file in (self.folder / "faults").iterdir():
            file.unlink()

    # Drivers

    def start(self, *arguments: str, engine: str = "inline", own: bool = False) -> Driver:
        """``sparsweep run`` in another process; ``own``: not a fork, but a program as a user starts it."""
        command = arguments if arguments[:1] and arguments[0] in COMMANDS else ("run", *arguments)
        if command[0] == "run":
            command = (*command, "--engine", engine, "--plain", "--checkpoint-every", "0.1")
        words = 2 if command[0] == "store" else 1
        file = [] if command[0] == "show" else [self.file.name]
        given = [*command[:words], *file, *command[words:]]
        said = self.folder / f"said-{len(self.drivers)}"
        if own:
            with said.with_suffix(".out").open("w") as out, said.with_suffix(".err").open("w") as err:
                process: Any = subprocess.Popen(
                    [sys.executable, "-c", COMMAND, *given],
                    cwd=self.folder,
                    stdout=out,
                    stderr=err,
                    env={**os.environ, "PYTHONPATH": python_path(), **self.environment},
                )
        else:
            process = forks().Process(
                target=drive, args=(given, self.folder, said, self.environment, self.changes)
            )
            process.start()
        self.drivers.append(Driver(self, process, said))
        return self.drivers[-1]

    def run(self, *arguments: str, code: int = 0, **how: Any) -> Said:
        """What a command says, which ends with ``code``."""
        said = self.start(*arguments, **how).end()
        assert said.code == code, said.err
        return said

    def json(self, command: str) -> dict[str, Any]:
        """What ``plan`` or ``status`` say as data."""
        found = json.loads(self.run(command, "--json").out)
        assert isinstance(found, dict)
        return found

    def end(self) -> None:
        """Leave no driver behind."""
        for driver in self.drivers:
            if driver.alive:
                driver.kill()

    # What is there

    def open(self) -> Store:
        """The store, past whatever troubles the drivers."""
        config = self.seen_from or self.store
        return open_store(config if "://" in config.uri else self.folder / config.uri)

    def ledger(self, *events: str) -> list[dict[str, Any]]:
        """The lines of the stages, in the order in which they were written; all or those of some kinds."""
        file = self.folder / "ledger"
        whole, _, _ = file.read_text().rpartition("\n") if file.exists() else ("", "", "")
        lines = whole.splitlines()  # who reads while a line is written may see a part of it
        return [line for line in map(json.loads, lines) if not events or line["event"] in events]

    def journals(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of all runs, one run after the other."""
        store, name = self.open(), self.plan.sweep.name
        events = [event for run in runs(store, name) for event in read_journal(store, name, run)]
        return [event for event in events if not kinds or event["kind"] in kinds]

    @contextmanager
    def watched(self, expected: Mapping[str, Any] | None = None) -> Iterator[Watch]:
        """Inside, somebody reads the store all the time; at the end nothing may have been amiss."""
        with Watch(self.open, expected) as watch:
            yield watch
        assert watch.problems == []


COMMANDS: Sequence[str] = ("run", "plan", "status", "report", "show", "store")


def until(condition: Callable[[], Any], seconds: float = 240.0) -> Any:
    """Wait for ``condition``; what it comes to."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never happens"
        time.sleep(0.02)
    return found
