"""The driver is interrupted or killed, and the same command continues."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from engine_stages.base import left
from importable import HERE, stages_importable
from ray_driver import plan_of

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def start(store, folder):
    with stages_importable():
        return subprocess.Popen(
            [sys.executable, str(HERE / "ray_driver.py"), store.uri, folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def wait_for_step(folder, step):
    deadline = time.monotonic() + 500
    while not any(event["step"] >= step for event in left(folder, "step")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_ctrl_c_in_a_terminal_saves_what_runs_and_the_same_command_continues(store, folder):
    driver = start(store, folder)
    wait_for_step(folder, 20)
    os.killpg(driver.pid, signal.SIGINT)  # a terminal sends it to the whole group
    output, _ = driver.communicate(timeout=500)
    assert driver.returncode == 130, output
    assert store.done() == set()
    again = start(store, folder)
    output, _ = again.communicate(timeout=500)
    assert again.returncode == 0, output
    assert output.splitlines()[-1] == "4 False"
    assert [event["step"] for event in left(folder, "step")] == list(range(1, 81))


def test_a_killed_driver_takes_its_workers_along_and_the_same_command_continues(store, folder):
    driver = start(store, folder)
    wait_for_step(folder, 30)
    driver.kill()
    driver.communicate(timeout=240)
    worker = left(folder, "step")[-1]["pid"]
    deadline = time.monotonic() + 240
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    again = start(store, folder)
    output, _ = again.communicate(timeout=500)
    assert again.returncode == 0, output
    first, second = left(folder, "began")
    assert first["step"] == 0
    assert second["step"] > 0
    steps = Counter(event["step"] for event in left(folder, "step"))
    assert set(steps) == set(range(1, 81))
    before = [event["step"] for event in left(folder, "step") if event["pid"] == first["pid"]]
    # One interval is 10 steps of 0.05 s, and a save takes a moment.
    assert max(before) - second["step"] <= 20
    assert store.done() == set(plan_of(folder).addresses)
