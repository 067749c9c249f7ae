"""What `status` says of drivers on other machines, from what they left in the store."""

from __future__ import annotations

import json
import time

import pytest
from toys.base import UNIQUE

from orchestrator.journal import Journal
from orchestrator.spec import load
from orchestrator.storage import open_store
from orchestrator.storage.beats import Beat, Process

FIRST, SECOND = "20260101T000000-aaaaaa", "20260101T000001-bbbbbb"


@pytest.fixture
def plan(here):
    return load(here / "toy.yaml", package="toys").plan()


@pytest.fixture
def driver(here, plan):
    """Leaves what a driver of another machine leaves while it runs some stages."""

    def leave(run, *stages, every_seconds=60.0, beats=True, closed=None):
        store = open_store(here / "results")
        addresses = [plan.addresses[stage] for stage in stages]
        if beats:
            beat = Beat(run, "toy", Process("far", 7, "another boot", 5), every_seconds, tuple(addresses))
            store.put_bytes(beat.key, beat.to_json())
        with Journal(store, "toy", run) as journal:
            journal.append("opened", engine="inline", host="far", pid=7, total=UNIQUE, missing=UNIQUE)
            for stage, address in zip(stages, addresses, strict=True):
                label = plan.job(stage).label
                journal.append("started", address=address, label=label, attempt=1, worker="inline")
            if closed:
                journal.append("closed", outcome=closed)

    return leave


def status(command):
    return json.loads(command("status", "toy.yaml", "--json")[1])


def test_a_driver_whose_beat_is_fresh_runs(command, driver):
    driver(FIRST, 0)
    found = status(command)
    assert (found["state"], found["running"], found["missing"]) == ("running", 1, UNIQUE - 1)
    [there] = found["drivers"]
    assert (there["run"], there["host"], there["pid"], there["running"]) == (FIRST, "far", 7, 1)
    assert there["alive"]
    assert there["silent_seconds"] < 60
    _, out, _ = command("status", "toy.yaml")
    assert f"driver far/7 (run {FIRST}): last heard of " in out


def test_a_driver_whose_beat_is_late_is_gone_wherever_it_ran(command, driver):
    driver(FIRST, 0, every_seconds=0.01)
    time.sleep(0.2)
    found = status(command)
    assert (found["state"], found["running"], found["missing"]) == ("lost", 0, UNIQUE)
    assert not found["drivers"][0]["alive"]
    _, out, _ = command("status", "toy.yaml")
    assert "stopped without a word (its driver is gone)" in out
    assert "last heard of 0 s ago, gone" in out


@pytest.mark.parametrize("hours", [-3, 3])
def test_the_clock_of_the_one_who_asks_plays_no_part(command, driver, monkeypatch, hours):
    driver(FIRST, 0)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600 * hours)
    assert status(command)["state"] == "running"


def test_what_several_drivers_run_is_counted_together(command, driver):
    driver(FIRST, 0)
    driver(SECOND, 1, 2)
    found = status(command)
    assert (found["state"], found["running"], found["missing"]) == ("running", 3, UNIQUE - 3)
    assert [there["run"] for there in found["drivers"]] == [FIRST, SECOND]


def test_a_driver_that_still_runs_is_seen_behind_one_that_came_later_and_ended(command, driver):
    driver(FIRST, 0)
    driver(SECOND, beats=False, closed="interrupted")
    assert (status(command)["state"], status(command)["running"]) == ("running", 1)


def test_a_run_on_another_machine_that_left_no_beat_may_be_alive(command, driver):
    driver(FIRST, 0, beats=False)
    found = status(command)
    assert (found["state"], found["drivers"]) == ("running", [])


def test_drivers_of_other_sweeps_are_no_drivers_of_this_one(command, here):
    beat = Beat(FIRST, "other", Process("far", 7), 60.0)
    open_store(here / "results").put_bytes(beat.key, beat.to_json())
    assert (status(command)["state"], status(command)["drivers"]) == ("new", [])
