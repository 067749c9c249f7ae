"""``keep: metrics``: files go when nothing reads them any more; what is done stays done."""

from __future__ import annotations

import time

import pytest
from engine_stages.base import left
from small_plans import Heard, SmallPlan

from orchestrator.engine.dropping import drop_unread
from orchestrator.engine.inline import Inline
from orchestrator.storage.beats import Beat, Process


def kept(store, plan):
    """The stages of ``plan`` whose files are there."""
    addresses = {key.split("/")[1] for key in store.list_keys("payload/")}
    return [stage for stage, address in enumerate(plan.addresses) if address in addresses]


def chain(folder, *, keep="metrics", length=3):
    """Stages that each add 1 to the one before."""
    plan = SmallPlan(keep=keep)
    for number in range(length):
        reads = {"first": number - 1} if number else {}
        plan.add("add", number=1, folder=folder, reads=reads)
    return plan


def numbers_of(store, plan):
    return [store.manifest(address).metrics for address in plan.addresses]


@pytest.fixture
def other(store):
    """Another driver at work on the store."""
    beat = Beat("20250101T000000-abcdef", "other", Process("far", 7), 60.0)
    store.put_bytes(beat.key, beat.to_json())
    return beat


def test_at_the_end_the_numbers_are_there_and_no_file(store, folder, heard):
    plan = chain(folder)
    assert Inline().drain(plan, store, heard).done == 3
    assert kept(store, plan) == []
    assert numbers_of(store, plan) == [{"total": 1}, {"total": 2}, {"total": 3}]
    assert Inline().drain(plan, store, Heard()).done == 0
    assert len(left(folder, "added")) == 3


def test_without_it_nothing_is_dropped(store, folder, heard):
    plan = chain(folder, keep="all")
    Inline().drain(plan, store, heard)
    assert kept(store, plan) == [0, 1, 2]
    assert drop_unread(plan, store) == 0


def test_files_go_while_the_rest_still_runs(store, folder):
    plan = chain(folder)
    plan.add("sleep", seconds=2.0, folder=folder, reads={"after": 1})
    seen = []

    def look(event):
        if event["kind"] == "started" and event["address"] == plan.addresses[3]:
            time.sleep(0.5)
            seen.append(kept(store, plan))

    Inline().drain(plan, store, Heard(), listener=look)
    assert seen == [[1]]  # the one that sleeps reads it
    assert kept(store, plan) == []


def test_what_a_failed_stage_reads_is_kept_for_the_next_try(store, folder, heard):
    plan = chain(folder)
    plan.add("fail", folder=folder, times=2, reads={"first": 1})
    assert len(Inline().drain(plan, store, heard).failed) == 1
    assert kept(store, plan) == [1]
    assert Inline().drain(plan, store, Heard()).done == 1
    assert kept(store, plan) == []
    assert len(left(folder, "added")) == 3


def test_what_was_dropped_is_made_again_when_something_new_reads_it_and_nothing_else_is(store, folder, heard):
    Inline().drain(chain(folder), store, Heard())
    longer = chain(folder, length=4)
    before = [store.manifest(address).digest for address in longer.addresses[:3]]
    assert Inline().drain(longer, store, heard).done == 4
    assert numbers_of(store, longer)[3] == {"total": 4}
    assert [store.manifest(address).digest for address in longer.addresses[:3]] == before
    assert heard.of("retried") == []
    assert kept(store, longer) == []
    other_branch = chain(folder)
    other_branch.add("sleep", seconds=0.0, folder=folder)  # reads none of it
    assert Inline().drain(other_branch, store, Heard()).done == 1


def test_what_loses_its_files_during_a_run_stays_done_and_is_made_again(store, folder, heard):
    plan = chain(folder, keep="all")

    def drop(event):
        if event["kind"] == "finished" and event["address"] == plan.addresses[0] and not dropped:
            dropped.append(0)
            store.drop_payload(plan.addresses[0])

    dropped = []
    assert Inline().drain(plan, store, heard, listener=drop).failed == ()
    assert numbers_of(store, plan) == [{"total": 1}, {"total": 2}, {"total": 3}]
    assert store.list_keys("quarantine/") == []
    assert len(left(folder, "added")) == 4


def test_nothing_is_dropped_beside_another_driver_and_the_last_one_drops_the_rest(
    store, folder, heard, other
):
    plan = chain(folder)
    Inline().drain(plan, store, heard)
    assert kept(store, plan) == [0, 1, 2]
    assert drop_unread(plan, store) == 0
    store.delete_keys([other.key])
    assert drop_unread(plan, store) == 3
    assert (kept(store, plan), drop_unread(plan, store)) == ([], 0)
    assert store.done() == set(plan.addresses)


def test_a_run_of_a_part_of_a_sweep_drops_nothing(store, folder, heard):
    plan = chain(folder)
    plan.partial = True
    Inline().drain(plan, store, heard)
    assert kept(store, plan) == [0, 1, 2]


def test_an_interrupted_run_keeps_what_is_still_needed(store, folder, heard):
    plan = chain(folder)

    def interrupt(event):
        if event["kind"] == "started" and event["address"] == plan.addresses[2]:
            raise KeyboardInterrupt

    assert Inline().drain(plan, store, heard, listener=interrupt).interrupted
    assert kept(store, plan) == [1]
    assert Inline().drain(plan, store, Heard()).done == 1
    assert kept(store, plan) == []
