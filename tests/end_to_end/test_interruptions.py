"""A killed worker or driver costs at most one checkpoint interval and changes no bit of the result."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from end_to_end.conftest import Sweep

TRAINING = """
name: long
axes: {seed: [0]}
methods: {one: {model: {stage: train, architecture: lenet, dataset: digits, seed: $seed, epochs: EPOCHS}}}
"""
EVERY_SECONDS = 1


def children_of(pid: int) -> list[int]:
    """All processes below ``pid``."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found, stack = [], [pid]
    while stack:
        below = parents.get(stack.pop(), [])
        found += below
        stack += below
    return found


def working(pid: int) -> list[int]:
    """The Ray workers below ``pid`` that hold an actor of ours."""
    names = {}
    for child in children_of(pid):
        try:
            names[child] = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
    return [child for child, name in names.items() if name.startswith("ray::Worker")]


def progress_of(long, store):
    """The newest step that the journal of the latest run knows of, and how many there are."""
    try:
        events = long.events("progress", store)
    except (LookupError, OSError):
        return 0, 1
    return (events[-1]["done"], events[-1]["total"]) if events else (0, 1)


def saved_steps(long, store):
    """The steps of the checkpoints that lie in the store."""
    return [
        int(folder.name.partition("-")[0]) for folder in (long.folder / store / "checkpoints").glob("*/*")
    ]


def wait_for_progress(long, store, process, share):
    """Wait until ``share`` of the steps are done and saved; the steps in all and the newest saved one."""
    until = time.monotonic() + 500
    while time.monotonic() < until:
        assert process.poll() is None, process.stderr.read()
        done, total = progress_of(long, store)
        saved = max(saved_steps(long, store), default=0)
        if min(done, saved) >= share * total:
            return total, saved
        time.sleep(0.1)
    raise AssertionError("the training does not get on")


def network_of(long, store):
    """The manifest of the trained network."""
    (manifest,) = long.manifests(store).values()
    return manifest


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The training without any fault: its manifest."""
    long = Sweep(tmp_path_factory.mktemp("undisturbed"), TRAINING.replace("EPOCHS", "120"))
    long.run("run", "--engine", "inline", "--checkpoint-every", str(EVERY_SECONDS))
    return network_of(long, "results")


@pytest.mark.ray
@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_a_kill_costs_at_most_a_checkpoint_interval(sweep, undisturbed, victim):
    long = sweep(TRAINING.replace("EPOCHS", "120"))
    options = ("--engine", "ray", "--workers", "1", "--plain", "--checkpoint-every", str(EVERY_SECONDS))
    process = long.start("run", *options)
    total, saved = wait_for_progress(long, "results", process, 0.3)
    if victim == "worker":
        (worker,) = working(process.pid)
        os.kill(worker, signal.SIGKILL)
        _, said = process.communicate(timeout=500)
        assert process.returncode == 0, said
    else:
        below = children_of(process.pid)
        process.kill()
        process.communicate()
        for child in below:  # Ray's own processes end by themselves, only later
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        long.run("run", *options)
    manifest = network_of(long, "results")
    assert manifest.digest == undisturbed.digest
    assert manifest.metrics == undisturbed.metrics
    resumed_at = total - manifest.measured["steps"]
    assert resumed_at >= saved > 0  # from the newest checkpoint: what is repeated is less than an interval
    assert saved_steps(long, "results") == []
