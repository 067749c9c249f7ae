"""Real networks on real data through the command line, as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.journal import read_journal
from orchestrator.spec import load
from orchestrator.storage import open_store

PROGRAM = Path(sys.executable).with_name("sparsweep")


class Sweep:
    """A sweep file in a folder, with the command line and what it left behind."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.file = folder / "sweep.yaml"
        self.file.write_text(text)
        self.processes: list[subprocess.Popen] = []

    def start(self, command: str, *options: str, store: str = "results") -> subprocess.Popen:
        """The command, running; how many threads it has is its own affair."""
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        process = subprocess.Popen(
            [PROGRAM, command, self.file.name, "--store", store, *options],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def run(self, command: str, *options: str, store: str = "results", code: int = 0) -> tuple[str, str]:
        """What the command prints: stdout, stderr."""
        process = self.start(command, *options, store=store)
        out, err = process.communicate(timeout=500)
        assert process.returncode == code, err
        return out, err

    def plan(self):
        """The plan of the file as it is."""
        return load(self.file).plan()

    def store(self, store: str = "results"):
        """The store, opened."""
        return open_store(self.folder / store)

    def manifests(self, store: str = "results"):
        """Everything that is planned and done, by address."""
        return self.store(store).manifests(self.plan().addresses)

    def events(self, kind: str, store: str = "results"):
        """The events of one kind of the latest run."""
        name = load(self.file).name
        return [event for event in read_journal(self.store(store), name) if event["kind"] == kind]

    def counts(self):
        """What ``plan --json`` says."""
        return json.loads(self.run("plan", "--json")[0])


@pytest.fixture
def sweep(tmp_path):
    """Makes a sweep of a text; what it left running is killed."""
    made = []

    def make(text):
        made.append(Sweep(tmp_path, text))
        return made[-1]

    yield make
    for process in (process for one in made for process in one.processes):
        with process:
            process.kill()
