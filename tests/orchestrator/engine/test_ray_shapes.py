"""Resource shapes that must share one CPU."""

from __future__ import annotations

import pytest
from engine_stages.base import left
from small_plans import SmallPlan

from orchestrator.engine.ray_pool import RayPool

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_cpu")]


def test_two_shapes_take_turns_on_one_cpu_whatever_reads_what(store, folder, heard):
    plan = SmallPlan()
    whole = plan.add("add", number=1, cpus=1.0)
    half = plan.add("add", number=2, cpus=0.5, reads={"first": whole})
    plan.add("add", number=3, cpus=1.0, reads={"first": half})
    plan.add("add", number=4, cpus=0.75, reads={"first": half})
    summary = RayPool().drain(plan, store, heard)
    assert (summary.done, summary.failed) == (4, ())


def test_a_shape_with_less_urgent_work_does_not_starve(store, folder, heard):
    plan = SmallPlan()
    # A chain of 60 stages that take 0.2 s: always more urgent than the lone stage of the other shape.
    end = plan.add("sleep", seconds=0.2, folder=folder, number=0, cpus=1.0)
    for number in range(1, 60):
        end = plan.add("sleep", seconds=0.2, folder=folder, number=number, cpus=1.0, reads={"after": end})
    plan.add("sleep", seconds=0.0, folder=folder, number=99, cpus=0.5)
    summary = RayPool(patience_seconds=1.0).drain(plan, store, heard)
    assert (summary.done, summary.failed) == (61, ())
    numbers = [event["number"] for event in left(folder, "began")]
    assert numbers[:1] == [0]
    assert numbers.index(99) < 55


def test_workers_that_ask_for_no_cpu_are_not_without_end(store, folder, heard):
    plan = SmallPlan()
    for number in range(6):
        plan.add("sleep", seconds=0.1, folder=folder, number=number, cpus=0.0)
    assert RayPool().drain(plan, store, heard).done == 6
    assert len({event["pid"] for event in left(folder, "began")}) == 1
