"""Counts, rate and time to go, worked out by hand."""

from __future__ import annotations

import pytest
from hand_plans import HandPlan, event

from orchestrator.monitor.pace import eta_seconds, rate
from orchestrator.monitor.snapshot import Failed, StageCount, snapshot
from orchestrator.monitor.tally import Tally

PLAN = HandPlan(train1="", train2="", prune1="train1", classify1="prune1", classify2="train2")


def counts(found):
    return found.done, len(found.running), len(found.failed), len(found.blocked), found.missing


def test_a_sweep_that_never_ran_misses_everything():
    found = snapshot(PLAN, set(), [], now=100)
    assert counts(found) == (0, 0, 0, 0, 5)
    assert (found.state, found.rate, found.eta_seconds) == ("new", None, None)


def test_every_stage_is_in_one_group():
    events = [
        event("opened", 0),
        event("started", 1, "train1", label="train one", attempt=2),
        event("started", 1, "train2", label="train two", attempt=1, worker="w1"),
        event("failed", 3, "train1", label="train one", cause="error", reason="ValueError: no"),
        event("progress", 4, "train2", done=3, total=10, metrics={"loss": 0.5}),
    ]
    found = snapshot(PLAN, set(), events, now=5)
    assert counts(found) == (0, 1, 1, 2, 1)
    assert found.total == 5
    assert found.failed == (Failed("train1", "train one", "error", "ValueError: no"),)
    assert found.blocked == {"prune1": "train1", "classify1": "train1"}
    (running,) = found.running
    assert (running.label, running.seconds, running.done, running.total) == ("train two", 4, 3, 10)
    assert running.metrics == {"loss": 0.5}


def test_the_store_says_what_is_done_whatever_the_journal_says():
    events = [event("opened", 0)]
    for name in ("train1", "prune1"):
        events += [event("started", 1, name), event("finished", 2, name, seconds=1)]
    found = snapshot(PLAN, {"train1", "train2"}, events, now=5)
    assert counts(found) == (2, 0, 0, 0, 3)
    assert found.stages == (
        StageCount("train", 2, 2),
        StageCount("prune", 0, 1),
        StageCount("classify", 0, 2),
    )


def test_a_failed_stage_that_was_done_later_is_done():
    events = [
        event("opened", 0),
        event("failed", 1, "train1", reason="x"),
        event("closed", 2, outcome="failed"),
        event("opened", 10),
        event("started", 11, "train1"),
        event("finished", 12, "train1", seconds=1),
        event("closed", 13, outcome="done"),
    ]
    found = snapshot(PLAN, {"train1"}, events, now=20)
    assert counts(found) == (1, 0, 0, 0, 4)
    assert found.state == "done"


def test_a_failure_of_an_earlier_run_stays_until_the_stage_runs_again():
    before = [
        event("opened", 0),
        event("failed", 1, "train1", reason="x"),
        event("closed", 2, outcome="failed"),
    ]
    again = [event("opened", 10), event("started", 11, "train2")]
    assert counts(snapshot(PLAN, set(), before + again, now=12)) == (0, 1, 1, 2, 1)
    assert counts(snapshot(PLAN, set(), [*before, *again, event("started", 12, "train1")], 13)) == (
        0,
        2,
        0,
        0,
        3,
    )


def test_nothing_runs_after_the_run_has_ended_or_its_driver_is_gone():
    events = [event("opened", 0), event("started", 1, "train1")]
    assert counts(snapshot(PLAN, set(), events, now=5)) == (0, 1, 0, 0, 4)
    lost = snapshot(PLAN, set(), events, now=5, alive=False)
    assert (counts(lost), lost.state) == ((0, 0, 0, 0, 5), "lost")
    ended = snapshot(PLAN, set(), [*events, event("closed", 2, outcome="interrupted")], now=5)
    assert (counts(ended), ended.state) == ((0, 0, 0, 0, 5), "interrupted")
    restarted = snapshot(PLAN, set(), [*events, event("opened", 9)], now=9)
    assert counts(restarted) == (0, 0, 0, 0, 5)


def test_events_of_stages_that_this_plan_does_not_have_are_passed_over():
    assert counts(snapshot(PLAN, set(), [event("opened"), event("failed", 1, "other", reason="x")], 5)) == (
        0,
        0,
        0,
        0,
        5,
    )


def test_while_it_runs_events_say_what_is_done():
    tally = Tally(PLAN, {"train1"})
    for each in (
        event("opened", 0),
        event("started", 0, "prune1"),
        event("finished", 2, "prune1", seconds=2),
    ):
        tally.apply(each)
    found = tally.snapshot(4)
    assert counts(found) == (2, 0, 0, 0, 3)
    assert found.executed == 1


def test_what_another_driver_made_is_done_and_says_nothing_of_the_pace():
    tally = Tally(PLAN, set())
    tally.apply(event("opened", 0))
    tally.apply(event("finished", 2, "train1", seconds=0.0, elsewhere=True))
    found = tally.snapshot(4)
    assert counts(found) == (1, 0, 0, 0, 4)
    assert (found.executed, found.rate, found.eta_seconds) == (0, None, None)


def test_a_damaged_output_that_is_made_again_is_not_done_meanwhile():
    tally = Tally(PLAN, {"train1"})
    tally.apply(event("opened", 0))
    tally.apply(event("started", 1, "train1"))
    assert counts(tally.snapshot(2)) == (0, 1, 0, 0, 4)
    tally.apply(event("finished", 3, "train1", seconds=2))
    assert counts(tally.snapshot(4)) == (1, 0, 0, 0, 4)


def test_a_retried_stage_waits_until_it_starts_again():
    tally = Tally(PLAN, set())
    for each in (
        event("opened", 0),
        event("started", 0, "train1"),
        event("retried", 1, "train1", cause="system"),
    ):
        tally.apply(each)
    assert counts(tally.snapshot(1)) == (0, 0, 0, 0, 5)


def test_time_to_go_is_the_work_left_over_the_workers_that_were_busy():
    plan = HandPlan(train1="", train2="", train3="", train4="")
    events = [
        event("opened", 0),
        event("started", 0, "train1"),
        event("started", 0, "train2"),
        event("finished", 10, "train1", seconds=10),
        event("started", 10, "train3"),
    ]
    found = snapshot(plan, {"train1"}, events, now=12)
    # A train takes 10 s. Left: train2 is over it (0), train3 10 - 2 = 8, train4 10: 18 s of work.
    # Busy: 10 + 12 + 2 = 24 s in 12 s are 2 workers.
    assert found.eta_seconds == pytest.approx(18 / 2)
    assert found.rate == pytest.approx(1 / 12)


def test_a_stage_that_says_how_far_it_is_gives_the_first_estimate():
    plan = HandPlan(train1="", train2="")
    events = [
        event("opened", 0),
        event("started", 0, "train1"),
        event("progress", 5, "train1", done=1, total=4),
    ]
    # One worker, 5 s for a quarter: 15 s left, then 20 s for train2.
    assert snapshot(plan, set(), events, now=5).eta_seconds == pytest.approx(35)


def test_stages_that_cannot_run_are_not_waited_for():
    events = [
        event("opened", 0),
        event("started", 0, "train1"),
        event("failed", 1, "train1", reason="x"),
        event("started", 1, "train2"),
        event("finished", 3, "train2", seconds=2),
        event("started", 3, "classify2"),
        event("progress", 4, "classify2", done=1, total=2),
    ]
    # classify2 has 1 s to go; prune1 and classify1 are blocked. Busy 3 s (the failed try not counted) in 4 s.
    assert snapshot(PLAN, {"train2"}, events, now=4).eta_seconds == pytest.approx(1 / (3 / 4))


def test_no_time_to_go_is_said_while_most_of_what_waits_was_never_seen():
    seen = {"busy_seconds": {"train": 20.0}, "finished": {"train": 2}, "elapsed_seconds": 20.0}
    assert eta_seconds({"train": 1, "detect": 2}, [], **seen) is None
    assert eta_seconds({"train": 2, "detect": 2}, [], **seen) == pytest.approx(40)


def test_the_rate_is_that_of_the_last_minute():
    assert rate([0.0, 950.0, 970.0, 990.0], 0.0, 1000.0) == pytest.approx(3 / 60)
    assert rate([], 0.0, 10.0) is None


def test_json_has_the_five_counts():
    found = snapshot(
        PLAN, {"train1"}, [event("opened"), event("failed", 1, "train2", reason="x")], 5
    ).to_json()
    assert {key: found[key] for key in ("done", "running", "failed", "blocked", "missing", "total")} == {
        "done": 1,
        "running": 0,
        "failed": 1,
        "blocked": 1,
        "missing": 2,
        "total": 5,
    }
    assert found["blocked_by"] == {"classify2": "train2"}
