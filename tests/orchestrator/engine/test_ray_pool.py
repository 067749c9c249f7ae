"""Plans drained by a pool of two warm workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter

import pytest
from engine_stages.base import left
from small_plans import Heard, SmallPlan

from orchestrator.engine.ray_pool import RayPool
from orchestrator.errors import InputError

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("two_cpus")]

POOL = RayPool(workers=2)


def when(condition, act):
    """Do ``act`` in a thread as soon as ``condition``."""

    def wait():
        while not condition():
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_every_stage_of_a_plan_runs_exactly_once_after_what_it_reads(store, folder, heard):
    plan = SmallPlan()
    for root in range(3):
        first = plan.add("add", number=root, folder=folder)
        middle = [
            plan.add("add", number=100 * root + i, reads={"first": first}, folder=folder)
            for i in range(1, 30)
        ]
        plan.add("add", number=1000 + root, reads={"terms": middle}, folder=folder)
    summary = POOL.drain(plan, store, heard)
    assert (summary.done, summary.failed, summary.blocked) == (93, (), {})
    for kind in ("started", "finished"):
        assert Counter(event["address"] for event in heard.of(kind)) == dict.fromkeys(plan.addresses, 1)
    assert len(left(folder, "added")) == 93
    assert store.done() == set(plan.addresses)
    # The last of root 0 adds up 1000 and, for i = 1..29, i + 0.
    assert store.manifest(plan.addresses[30]).metrics == {"total": 1000 + sum(range(1, 30))}
    assert POOL.drain(plan, store, heard).done == 0


def test_a_thousand_stages_that_do_nothing_pass_through_quickly(store):
    plan, heard, times = SmallPlan(), Heard(), []
    for number in range(1000):
        plan.add("nothing", number=number)
    summary = POOL.drain(plan, store, heard, listener=lambda event: times.append(time.monotonic()))
    assert summary.done == len(store.done()) == 1000
    assert Counter(event["address"] for event in heard.of("started")) == dict.fromkeys(plan.addresses, 1)
    assert times[-1] - times[0] < 15  # about 1.5 s on two free cores


def test_a_raising_stage_is_tried_on_another_worker_and_blocks_only_what_needs_it(store, folder, heard):
    plan = SmallPlan()
    bad = plan.add("fail", folder=folder)
    child = plan.add("add", number=1, reads={"first": bad})
    for number in range(2, 6):
        plan.add("add", number=number)
    summary = POOL.drain(plan, store, heard)
    assert summary.done == 4
    [failure] = summary.failed
    assert (failure.cause, failure.repeated) == ("error", True)
    assert failure.reason == "RuntimeError: no luck with 0; second line"
    assert "fail.py" in failure.traceback
    assert summary.blocked == {plan.addresses[child]: plan.addresses[bad]}
    pids = [event["pid"] for event in left(folder, "tried")]
    assert len(pids) == len(set(pids)) == 2


def test_stages_that_fail_sometimes_are_done_in_the_end(store, folder, heard):
    plan = SmallPlan()
    for number in range(4):
        plan.add("fail", folder=folder, times=number % 2, number=number)
    assert POOL.drain(plan, store, heard).failed == ()
    tries = [store.manifest(address).metrics["tries"] for address in plan.addresses]
    assert tries == [1, 2, 1, 2]


def test_a_stage_that_cannot_be_built_is_not_tried_twice(store, heard):
    plan = SmallPlan()
    plan.add("refuse", sparsity=1.5)
    [failure] = POOL.drain(plan, store, heard).failed
    assert failure.reason == "sparsity must be in [0, 1), got 1.5"
    assert len(heard.of("started")) == 1


def test_a_killed_worker_is_replaced_and_its_stage_goes_on_from_its_checkpoint(store, folder, heard):
    plan = SmallPlan()
    plan.add("count", steps=40, seconds=0.05, folder=folder)

    def kill():
        os.kill(left(folder, "step")[-1]["pid"], signal.SIGKILL)

    thread = when(lambda: len(left(folder, "step")) >= 20, kill)
    pool = RayPool(workers=2, checkpoint_seconds=0.2)
    summary = pool.drain(plan, store, heard)
    thread.join()
    assert (summary.done, summary.failed) == (1, ())
    assert [event["cause"] for event in heard.of("retried")] == ["system"]
    first, second = left(folder, "began")
    assert first["step"] == 0
    assert second["step"] >= 10  # it did not begin again
    repeated = [step for step, times in Counter(e["step"] for e in left(folder, "step")).items() if times > 1]
    assert len(repeated) <= 8  # one interval is 4 steps of 0.05 s; saving is not instant
    assert store.manifest(plan.addresses[0]).metrics == {"count": 40}


def test_a_worker_told_to_end_saves_what_it_runs_and_another_goes_on_at_no_cost(store, folder, heard):
    plan = SmallPlan(system=0, error=0)
    plan.add("count", steps=40, seconds=0.05, folder=folder)

    def tell():
        os.kill(left(folder, "step")[-1]["pid"], signal.SIGTERM)

    thread = when(lambda: len(left(folder, "step")) >= 20, tell)
    summary = RayPool(workers=2, checkpoint_seconds=60.0).drain(plan, store, heard)
    thread.join()
    assert (summary.done, summary.failed) == (1, ())
    assert [event["reason"] for event in heard.of("retried")] == ["its worker was told to end (SIGTERM)"]
    assert [event["step"] for event in left(folder, "step")] == list(range(1, 41))  # none was repeated
    assert len({event["pid"] for event in left(folder, "step")}) == 2


def test_an_idle_worker_told_to_end_runs_nothing_more(store, folder, heard):
    plan = SmallPlan(system=0, error=0)
    first = plan.add("sleep", seconds=2.0, folder=folder, number=0)
    plan.add("sleep", seconds=0.0, folder=folder, number=1)
    for number in (2, 3):
        plan.add("sleep", seconds=0.5, folder=folder, number=number, reads={"after": first})
    told = []

    def tell():
        time.sleep(0.5)
        told.append(next(event["pid"] for event in left(folder, "ended") if event["number"] == 1))
        os.kill(told[0], signal.SIGTERM)

    thread = when(lambda: left(folder, "ended") and len(left(folder, "began")) == 2, tell)
    summary = POOL.drain(plan, store, heard)
    thread.join()
    assert (summary.done, summary.failed) == (4, ())
    assert [event["number"] for event in left(folder, "began") if event["pid"] == told[0]] == [1]


def test_a_stage_that_kills_its_workers_is_given_up_and_the_others_are_done(store, folder, heard):
    plan = SmallPlan(system=1)
    plan.add("die", folder=folder)
    for number in range(1, 10):
        plan.add("sleep", seconds=0.05, folder=folder, number=number)
    summary = POOL.drain(plan, store, heard)
    [failure] = summary.failed
    assert (failure.address, failure.cause) == (plan.addresses[0], "system")
    assert "died" in failure.reason or "dead" in failure.reason
    assert summary.done == 9
    assert len(left(folder, "tried")) == 2
    assert len(left(folder, "ended")) == 9


def test_quick_stages_sent_ahead_of_a_killer_are_not_blamed_and_run_once(store, folder, heard):
    plan = SmallPlan(system=0)
    for number in range(200):
        plan.add("nothing", number=number)
    plan.add("die", folder=folder)
    for number in range(200, 400):
        plan.add("nothing", number=number)
    summary = RayPool(workers=1).drain(plan, store, heard)
    assert [failure.address for failure in summary.failed] == [plan.addresses[200]]
    assert summary.done == 400
    assert Counter(event["address"] for event in heard.of("finished")).most_common(1)[0][1] == 1


def test_a_stage_without_progress_is_ended_and_tried_again(store, folder, heard):
    plan = SmallPlan()
    plan.add("die", folder=folder, times=1, stand_still=True, timeout_seconds=2.0)
    assert POOL.drain(plan, store, heard).failed == ()
    [retried] = heard.of("retried")
    assert retried["cause"] == "timeout"
    assert "no progress for 2 s, it stood at 1 of 10" in retried["reason"]


def test_a_stage_that_never_reports_has_no_timeout(store, folder, heard):
    plan = SmallPlan()
    plan.add("die", folder=folder, stand_still=True, silent=True, timeout_seconds=1.0)  # sleeps 3 s
    assert POOL.drain(plan, store, heard).failed == ()
    assert heard.of("retried") == []


def test_progress_is_seen_about_once_a_second(store, folder, heard):
    plan = SmallPlan()
    plan.add("count", steps=60, seconds=0.05, folder=folder)
    POOL.drain(plan, store, heard)
    done = [event["done"] for event in heard.of("progress")]
    assert 2 <= len(done) <= 6
    assert done == sorted(done)
    assert heard.of("progress")[0]["metrics"] == {"square": float(done[0] ** 2)}


def test_memory_trouble_without_a_gpu_is_an_error_like_any_other(store, folder, heard):
    plan = SmallPlan()
    plan.add("fail", folder=folder, kind="memory")
    [failure] = POOL.drain(plan, store, heard).failed
    assert failure.cause == "memory"
    assert len(left(folder, "tried")) == 2


def test_without_any_gpu_gpus_count_as_nothing_and_this_is_said_once(store, folder, heard, capsys):
    plan = SmallPlan()
    for number in range(4):
        plan.add("sleep", seconds=0.0, folder=folder, number=number, gpus=0.5)
    assert POOL.drain(plan, store, heard).done == 4
    assert {event["device"] for event in left(folder, "began")} == {"cpu"}
    assert len(heard.of("note")) == 1
    assert capsys.readouterr().err.count("has no GPU") == 1


def test_what_no_machine_can_hold_is_refused_before_anything_starts(store, folder, heard):
    plan = SmallPlan()
    plan.add("sleep", seconds=0.0, folder=folder)
    plan.add("sleep", seconds=0.0, folder=folder, number=1, cpus=64.0)
    plan.add("sleep", seconds=0.0, folder=folder, number=2, memory_gib=9999.0)
    with pytest.raises(InputError) as refused:
        POOL.drain(plan, store, heard)
    assert "method.sleep number=1: asks for cpus: 64" in str(refused.value)
    assert "memory_gib: 9999" in str(refused.value)
    assert left(folder) == []
    assert heard.events == []


def test_no_workers_at_all_are_refused(store, heard):
    plan = SmallPlan()
    plan.add("add", number=1)
    with pytest.raises(InputError, match="--workers must be at least 1"):
        RayPool(workers=0).drain(plan, store, heard)


def test_threads_are_set_from_the_cpus_of_the_stage(store, folder, heard):
    plan = SmallPlan()
    plan.add("sleep", seconds=0.0, folder=folder, number=1, cpus=1.0)
    plan.add("sleep", seconds=0.0, folder=folder, number=2, cpus=2.0)
    plan.add("sleep", seconds=0.0, folder=folder, number=3, cpus=0.5)
    assert POOL.drain(plan, store, heard).failed == ()
    assert {event["number"]: event["threads"] for event in left(folder, "began")} == {1: "1", 2: "2", 3: "1"}
    assert [store.manifest(address).cpus for address in plan.addresses] == [1.0, 2.0, 0.5]


def test_workers_stay_warm_and_are_no_more_than_allowed(store, folder, heard):
    plan = SmallPlan()
    for number in range(20):
        plan.add("sleep", seconds=0.1, folder=folder, number=number)
    RayPool(workers=1).drain(plan, store, heard)
    assert len({event["pid"] for event in left(folder, "began")}) == 1


def test_a_worker_that_holds_too_much_is_replaced(store, folder, heard):
    plan = SmallPlan()
    for number in range(3):
        plan.add("sleep", seconds=0.0, folder=folder, number=number)
    summary = RayPool(workers=1, memory_growth_gib=-1.0).drain(plan, store, heard)
    assert summary.done == 3
    assert len({event["pid"] for event in left(folder, "began")}) == 3
    assert heard.of("retried") == []


def test_a_damaged_input_is_made_again_and_then_read(store, folder, heard):
    plan = SmallPlan()
    plan.add("add", number=1, folder=folder)
    plan.add("add", number=2, reads={"first": 0}, folder=folder)
    POOL.drain(plan, store, Heard())
    store.discard(plan.addresses[1])
    file = store.fetch(plan.addresses[0]) / "value"
    file.unlink()
    file.write_text("not what it was")
    assert POOL.drain(plan, store, heard).done == 2
    assert [event["number"] for event in left(folder, "added")] == [1, 2, 1, 2]
    assert store.manifest(plan.addresses[1]).metrics == {"total": 3}


def test_the_longest_path_goes_first(store, folder, heard):
    plan = SmallPlan()
    for number in range(4):
        plan.add("sleep", seconds=0.0, folder=folder, number=number)
    end = plan.add("sleep", seconds=0.0, folder=folder, number=10)
    for number in (11, 12):
        end = plan.add("sleep", seconds=0.0, folder=folder, number=number, reads={"after": end})
    RayPool(workers=1).drain(plan, store, heard)
    numbers = [event["number"] for event in left(folder, "began")]
    assert numbers.index(11) < 3


def test_a_first_signal_saves_what_runs_and_the_next_drain_continues_there(store, folder, heard):
    plan = SmallPlan()
    plan.add("count", steps=100, seconds=0.05, folder=folder)
    for number in range(4):
        plan.add("add", number=number + 1, reads={"first": 0}, folder=folder)
    thread = when(lambda: len(left(folder, "step")) >= 10, lambda: os.kill(os.getpid(), signal.SIGINT))
    summary = POOL.drain(plan, store, heard)
    thread.join()
    assert (summary.interrupted, summary.done, summary.failed) == (True, 0, ())
    reached = left(folder, "step")[-1]["step"]
    assert 10 <= reached < 60
    assert POOL.drain(plan, store, Heard()).done == 5
    assert [event["step"] for event in left(folder, "step")] == list(range(1, 101))


def test_a_second_signal_leaves_at_once(store, folder, heard):
    plan = SmallPlan()
    plan.add("sleep", seconds=120.0, folder=folder)

    def interrupt():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.3)

    thread = when(lambda: left(folder, "began"), interrupt)
    began = time.monotonic()
    assert POOL.drain(plan, store, heard).interrupted
    thread.join()
    assert time.monotonic() - began < 60


def test_a_stage_that_does_not_end_in_time_is_left_behind(store, folder, heard):
    plan = SmallPlan()
    plan.add("sleep", seconds=120.0, folder=folder)
    thread = when(lambda: left(folder, "began"), lambda: os.kill(os.getpid(), signal.SIGINT))
    began = time.monotonic()
    assert RayPool(grace_seconds=1.0).drain(plan, store, heard).interrupted
    thread.join()
    assert time.monotonic() - began < 60
    assert store.done() == set()
