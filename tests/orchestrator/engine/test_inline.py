"""Plans drained in this process."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time

import pytest
from engine_stages.base import left
from small_plans import Heard, SmallPlan

from orchestrator.engine.inline import Inline
from orchestrator.spec import load


def diamond(**fields):
    plan = SmallPlan()
    plan.add("add", number=1, **fields)
    plan.add("add", number=2, reads={"first": 0}, **fields)
    plan.add("add", number=3, reads={"first": 0}, **fields)
    plan.add("add", number=4, reads={"terms": [1, 2]}, **fields)
    return plan


def test_every_stage_runs_once_after_what_it_reads(store, folder, heard):
    plan = diamond(folder=folder)
    summary = Inline().drain(plan, store, heard)
    assert (summary.done, summary.failed, summary.blocked, summary.interrupted) == (4, (), {}, False)
    assert [event["number"] for event in left(folder, "added")] == [1, 2, 3, 4]
    assert store.manifest(plan.addresses[3]).metrics == {"total": 4 + (2 + 1) + (3 + 1)}
    assert [event["address"] for event in heard.of("finished")] == plan.addresses
    assert [event["attempt"] for event in heard.of("started")] == [1, 1, 1, 1]


def test_a_second_drain_does_nothing(store, folder, heard):
    plan = diamond(folder=folder)
    Inline().drain(plan, store, Heard())
    assert Inline().drain(plan, store, heard).done == 0
    assert heard.events == []
    assert len(left(folder, "added")) == 4


def test_a_failure_blocks_only_what_needs_it_and_says_why(store, folder, heard):
    plan = SmallPlan()
    bad = plan.add("fail", folder=folder)
    child = plan.add("add", number=1, reads={"first": bad})
    grandchild = plan.add("add", number=2, reads={"first": child})
    plan.add("add", number=3)
    summary = Inline().drain(plan, store, heard)
    assert summary.done == 1
    [failure] = summary.failed
    assert failure.address == plan.addresses[bad]
    assert failure.label == "method.fail number=0"
    assert (failure.cause, failure.repeated) == ("error", True)
    assert failure.reason == "RuntimeError: no luck with 0; second line"
    assert "fail.py" in failure.traceback
    assert summary.blocked == dict.fromkeys(
        (plan.addresses[child], plan.addresses[grandchild]), plan.addresses[bad]
    )
    assert len(left(folder, "tried")) == 2  # once, and retries.error = 1 more
    assert [event["attempt"] for event in heard.of("retried")] == [1]
    assert [event["attempt"] for event in heard.of("failed")] == [2]


def test_a_stage_that_fails_sometimes_is_done_after_a_retry(store, folder, heard):
    plan = SmallPlan()
    plan.add("fail", folder=folder, times=1)
    assert Inline().drain(plan, store, heard).failed == ()
    assert store.manifest(plan.addresses[0]).metrics == {"tries": 2}


def test_a_stage_that_cannot_be_built_is_not_tried_twice(store, heard):
    plan = SmallPlan()
    plan.add("refuse", sparsity=1.5)
    [failure] = Inline().drain(plan, store, heard).failed
    assert failure.reason == "sparsity must be in [0, 1), got 1.5"
    assert len(heard.of("started")) == 1


def test_a_plain_drain_after_a_failure_tries_again_and_skipping_does_not(store, folder):
    plan = SmallPlan()
    bad = plan.add("fail", folder=folder, times=2)
    child = plan.add("add", number=1, reads={})
    below = plan.add("fail", folder=folder, number=5, times=0, kind="error")
    plan._parents[below] = (bad,)
    Inline().drain(plan, store, Heard())
    skipped = Inline().drain(plan, store, Heard(), skip={plan.addresses[bad]})
    assert (skipped.done, skipped.failed) == (0, ())
    assert skipped.blocked == {
        plan.addresses[bad]: plan.addresses[bad],
        plan.addresses[below]: plan.addresses[bad],
    }
    again = Inline().drain(plan, store, Heard())
    assert (again.done, again.failed) == (2, ())
    assert plan.addresses[child] in store.done()


def test_a_damaged_input_is_made_again_and_then_read(store, folder, heard):
    plan = diamond(folder=folder)
    Inline().drain(plan, store, Heard())
    store.discard(plan.addresses[3])
    file = store.fetch(plan.addresses[1]) / "value"
    file.unlink()
    file.write_text("not what it was")
    summary = Inline().drain(plan, store, heard)
    assert (summary.done, summary.failed) == (2, ())
    assert [event["number"] for event in left(folder, "added")] == [1, 2, 3, 4, 2, 4]
    assert store.manifest(plan.addresses[3]).metrics == {"total": 11}
    assert any("made again" in event["text"] for event in heard.of("note"))


def test_payloads_that_were_dropped_are_made_again_all_the_way_up(store, folder, heard):
    plan = SmallPlan()
    plan.add("add", number=1, folder=folder)
    plan.add("add", number=2, reads={"first": 0}, folder=folder)
    plan.add("add", number=3, reads={"first": 1}, folder=folder)
    Inline().drain(plan, store, Heard())
    store.discard(plan.addresses[2])
    for stage in (0, 1):
        store.drop_payload(plan.addresses[stage])
    assert Inline().drain(plan, store, heard).done == 3
    assert [event["number"] for event in left(folder, "added")] == [1, 2, 3, 1, 2, 3]


def test_what_another_driver_published_meanwhile_is_not_made_again(store, folder, heard):
    plan = diamond(folder=folder)

    def other(event):
        if event["kind"] == "finished" and event["address"] == plan.addresses[0]:
            Inline().drain(plan, store, Heard())

    summary = Inline().drain(plan, store, heard, listener=other)
    assert summary.done == 4
    assert len(left(folder, "added")) == 4
    assert [event.get("elsewhere", False) for event in heard.of("finished")] == [False, True, True, True]


def test_a_store_that_is_away_for_a_moment_is_waited_for(store, folder, heard, monkeypatch):
    from orchestrator.errors import StoreError

    plan = SmallPlan()
    plan.add("add", number=1, folder=folder)
    real, calls = store.publish, []

    def flaky(address):
        calls.append(address)
        if len(calls) == 1:
            raise StoreError("cannot be reached")
        return real(address)

    monkeypatch.setattr(store, "publish", flaky)
    summary = Inline().drain(plan, store, heard)
    assert (summary.done, summary.failed) == (1, ())
    assert heard.of("retried")[0]["reason"] == "StoreError: cannot be reached"


def test_in_debug_an_exception_comes_through_as_it_was_raised(store, folder, heard):
    plan = SmallPlan()
    plan.add("fail", folder=folder)
    with pytest.raises(RuntimeError, match="no luck"):
        Inline(debug=True).drain(plan, store, heard)


def test_a_share_of_a_gpu_that_is_not_there_is_said_once(store, folder, heard, monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    plan = SmallPlan()
    for number in range(3):
        plan.add("sleep", seconds=0.0, folder=folder, number=number, gpus=0.5)
    Inline().drain(plan, store, heard)
    assert {event["device"] for event in left(folder, "began")} == {"cpu"}
    assert len(heard.of("note")) == 1
    assert capsys.readouterr().err.count("no GPU") == 1


def test_progress_is_passed_on(store, folder, heard):
    plan = SmallPlan()
    plan.add("count", steps=3, seconds=0.0, folder=folder)
    Inline().drain(plan, store, heard)
    assert heard.of("progress")[0] == {
        "kind": "progress",
        "address": plan.addresses[0],
        "done": 1,
        "total": 3,
        "metrics": {"square": 1.0},
    }


def test_a_first_signal_saves_what_runs_and_the_next_drain_continues_there(store, folder, heard):
    plan = SmallPlan()
    plan.add("count", steps=40, seconds=0.02, folder=folder)
    plan.add("add", number=1, folder=folder)
    plan.add("add", number=2, reads={"first": 0}, folder=folder)
    before = signal.getsignal(signal.SIGINT)

    def interrupt():
        while len(left(folder, "step")) < 5:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    summary = Inline().drain(plan, store, heard, durations={"count": 100.0})
    thread.join()
    assert (summary.interrupted, summary.done, summary.failed) == (True, 0, ())
    assert signal.getsignal(signal.SIGINT) is before
    assert Inline().drain(plan, store, Heard()).done == 3
    assert [event["step"] for event in left(folder, "step")] == list(range(1, 41))


def test_a_second_signal_leaves_at_once(store, folder, heard):
    plan = SmallPlan()
    plan.add("sleep", seconds=60.0, folder=folder)

    def interrupt():
        while not left(folder, "began"):
            time.sleep(0.01)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)

    thread = threading.Thread(target=interrupt)
    thread.start()
    began = time.monotonic()
    summary = Inline().drain(plan, store, heard)
    thread.join()
    assert summary.interrupted
    assert time.monotonic() - began < 20
    assert store.done() == set()


def test_an_output_that_vanishes_again_and_again_ends_the_tries(store, folder, heard):
    plan = SmallPlan()
    plan.add("add", number=1, folder=folder)
    plan.add("add", number=2, reads={"first": 0})

    def destroy(event):
        if event["kind"] == "finished" and event["address"] == plan.addresses[0]:
            shutil.rmtree(store.fetch(plan.addresses[0]))

    summary = Inline().drain(plan, store, heard, listener=destroy)
    assert [failure.cause for failure in summary.failed] == ["system"]
    assert len(left(folder, "added")) == 4  # once, and retries.system = 3 more


def test_a_plan_of_a_sweep_file_is_drained_as_it_is(store, tmp_path, folder, heard):
    file = tmp_path / "small.yaml"
    file.write_text(
        """
        name: small
        axes: {seed: [1, 2]}
        methods:
          plain: {model: {stage: add, number: $seed}}
        evaluate:
          again: {stage: add, reads: {first: model}, number: 10}
        """
    )
    plan = load(file, package="engine_stages").plan()
    summary = Inline().drain(plan, store, heard)
    assert (summary.done, summary.failed) == (4, ())
    assert store.done() == set(plan.addresses)
    totals = sorted(manifest.metrics["total"] for manifest in store.manifests(plan.addresses).values())
    assert totals == [1, 2, 11, 12]
    assert "plain.model seed=1" in {event["label"] for event in heard.of("started")}
