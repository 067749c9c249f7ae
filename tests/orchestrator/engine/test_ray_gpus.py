"""Shares of GPUs, which Ray hands out also where there are none: what is logical can be tested anywhere."""

from __future__ import annotations

import pytest
from engine_stages.base import left
from small_plans import SmallPlan

from orchestrator.engine.ray_pool import RayPool
from orchestrator.errors import InputError

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("four_gpus")]


def most_at_once(events):
    """The largest number of stages that had begun and not ended."""
    running = most = 0
    for event in events:
        running += {"began": 1, "ended": -1}[event["event"]]
        most = max(most, running)
    return most


def test_quarters_of_a_gpu_run_side_by_side_up_to_the_number_of_cpus(store, folder, heard):
    plan = SmallPlan()
    for number in range(8):
        plan.add("sleep", seconds=4.0, folder=folder, number=number, cpus=0.5, gpus=0.25)
    assert RayPool(workers=4).drain(plan, store, heard).failed == ()
    events = left(folder)
    assert most_at_once(events) == 4
    assert {event["gpus"] for event in left(folder, "began")} == {"0"}  # four quarters of the same one
    assert {event["device"] for event in left(folder, "began")} == {"cpu"}  # a logical GPU has no device


def test_out_of_memory_is_tried_again_alone_on_a_whole_gpu(store, folder, heard):
    plan = SmallPlan()
    for number in range(3):
        plan.add("sleep", seconds=0.5, folder=folder, number=number, cpus=1.0, gpus=0.5)
    plan.add("fail", folder=folder, times=1, kind="memory", number=9, cpus=1.0, gpus=0.5)
    summary = RayPool(workers=2, patience_seconds=1.0).drain(plan, store, heard)
    assert (summary.done, summary.failed) == (4, ())
    assert [event["cause"] for event in heard.of("retried")] == ["memory"]


def test_out_of_memory_also_alone_is_a_failure(store, folder, heard):
    plan = SmallPlan(error=5)
    plan.add("fail", folder=folder, kind="memory", gpus=0.5)
    [failure] = RayPool(workers=2).drain(plan, store, heard).failed
    assert (failure.cause, failure.repeated) == ("memory", True)
    assert len(left(folder, "tried")) == 2


def test_more_gpus_than_any_machine_has_are_refused(store, folder, heard):
    plan = SmallPlan()
    plan.add("sleep", seconds=0.0, folder=folder, gpus=5.0)
    with pytest.raises(InputError, match="gpus: 5 on one machine; the most that one has is cpus: 8, gpus: 4"):
        RayPool().drain(plan, store, heard)


def test_one_and_a_half_gpus_are_refused(store, folder, heard):
    plan = SmallPlan()
    plan.add("sleep", seconds=0.0, folder=folder, gpus=1.5)
    with pytest.raises(InputError, match=r"gpus above 1 must be a whole number, got 1\.5"):
        RayPool().drain(plan, store, heard)
