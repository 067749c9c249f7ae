"""Several drivers on one store: what each leaves to the others, and what is found of a dead one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from engine_stages.base import left
from importable import HERE, stages_importable
from inline_driver import STAGES, plan_of
from small_plans import Heard, SmallPlan

from orchestrator.engine.drivers import Drivers
from orchestrator.engine.inline import Inline
from orchestrator.errors import StoreError
from orchestrator.journal import new_run_id
from orchestrator.storage import StoreConfig, open_store
from orchestrator.storage.beats import Beat, Process, hear
from orchestrator.storage.store import Store

OTHER = "20250101T000000-abcdef"
QUICK = 0.25
KNOWING = {"knows": lambda address: True, "published": lambda addresses: (), "every_seconds": 9}


def beat_of(running=(), upcoming=(), every=QUICK, run=OTHER):
    """The beat of a driver of another machine."""
    process = Process("other", 7, "another boot", 5)
    return Beat(run, "small", process, every, tuple(running), tuple(upcoming))


def say(store, beat):
    store.put_bytes(beat.key, beat.to_json())


def sleeps(folder, count, seconds=0.0):
    plan = SmallPlan()
    for number in range(count):
        plan.add("sleep", seconds=seconds, folder=folder, number=number)
    return plan


def numbers_left(folder):
    return [event["number"] for event in left(folder, "began")]


def counting(store, calls):
    """``store`` on a bucket that notes what is asked of it."""

    class Counting(type(store.bucket)):
        before_list = staticmethod(lambda: None)

        def put(self, key, data):
            calls.append(("put", key))
            super().put(key, data)

        def get(self, key, tag=""):
            calls.append(("get", key))
            return super().get(key, tag)

        def list(self, prefix):
            calls.append(("list", prefix))
            self.before_list()
            return super().list(prefix)

        def now(self):
            calls.append(("now", ""))
            return super().now()

    return Store(Counting(store.bucket.root), StoreConfig(store.uri))


# One driver


def test_while_a_drain_runs_its_beat_names_what_runs_and_afterwards_it_is_gone(store, folder):
    plan = sleeps(folder, 3, seconds=1.0)
    seen = []

    def look():
        while not left(folder, "began"):
            time.sleep(0.01)
        time.sleep(0.4)
        seen.extend((heard, store.now()) for heard in hear(store).values())

    thread = threading.Thread(target=look)
    thread.start()
    Inline(beat_seconds=QUICK).drain(plan, store, Heard(), run=OTHER)
    thread.join()
    [(found, now)] = seen
    assert found.beat.run == OTHER
    assert found.beat.sweep == "small"
    assert found.beat.process.pid == os.getpid()
    assert found.beat.running == (plan.addresses[0],)
    assert found.is_fresh(now)
    assert store.list_keys("drivers/") == []


def test_a_drain_that_raises_leaves_no_beat(store, folder):
    plan = SmallPlan()
    plan.add("fail", folder=folder)
    with pytest.raises(RuntimeError):
        Inline(debug=True, beat_seconds=QUICK).drain(plan, store, Heard())
    assert store.list_keys("drivers/") == []


def test_a_beat_costs_one_write_and_one_listing_and_a_read_of_those_that_changed(store):
    calls = []
    drivers = Drivers(counting(store, calls), new_run_id(), "small", **KNOWING)
    drivers.beat()
    assert [kind for kind, _ in calls] == ["put", "list"]
    say(store, beat_of(every=9))
    for expected in (["put", "list", "get"], ["put", "list"], ["put", "list"]):
        calls.clear()
        drivers.beat()
        assert [kind for kind, _ in calls] == expected


def test_beats_that_cannot_be_written_stop_nothing_and_are_tried_again(store, folder, monkeypatch):
    refused = []

    def refuse(self, key, data):
        if key.startswith("drivers/"):
            refused.append(key)
            if len(refused) < 5:
                raise StoreError("the store is away")
        put(self, key, data)

    put = type(store.bucket).put
    monkeypatch.setattr(type(store.bucket), "put", refuse)
    summary = Inline(beat_seconds=QUICK).drain(sleeps(folder, 4, seconds=0.4), store, Heard())
    assert (summary.done, summary.failed) == (4, ())
    assert len(refused) > 5


# Others


def test_what_another_driver_runs_is_left_for_last_and_taken_when_its_beat_expires(store, folder, heard):
    plan = sleeps(folder, 5)
    say(store, beat_of(running=plan.addresses[:1], upcoming=plan.addresses[1:2]))
    began = time.monotonic()
    summary = Inline(beat_seconds=QUICK).drain(plan, store, heard)
    assert summary.done == 5
    assert numbers_left(folder) == [2, 3, 4, 0, 1]
    [note] = heard.of("note")
    assert note["text"] == "nothing to do for now: 2 stages are run by another driver on this store"
    assert time.monotonic() - began > 5 * QUICK  # six beats are missed before it counts as gone
    assert store.list_keys("drivers/") == []  # that of the dead one is cleared away


@pytest.mark.parametrize("hours", [-5, 5])
def test_the_clock_of_the_host_plays_no_part(store, folder, heard, monkeypatch, hours):
    plan = sleeps(folder, 3)
    say(store, beat_of(running=plan.addresses[:1]))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    began = time.monotonic()
    assert Inline(beat_seconds=QUICK).drain(plan, store, heard).done == 3
    assert numbers_left(folder) == [1, 2, 0]
    assert 5 * QUICK < time.monotonic() - began < 60


def test_what_another_driver_has_done_is_not_run_here_nor_waited_for_longer(store, folder, heard):
    plan = sleeps(folder, 3)
    last = plan.add("sleep", seconds=0.0, folder=folder, number=3, reads={"after": 0})
    say(store, beat_of(running=plan.addresses[:1], every=60.0))

    def finish():
        time.sleep(0.5)
        with store.publish(plan.addresses[0]) as draft:
            draft.manifest = {"stage": "sleep", "text": plan.job(0).text}
        say(store, beat_of(every=60.0))

    thread = threading.Thread(target=finish)
    thread.start()
    summary = Inline(beat_seconds=QUICK).drain(plan, store, heard)
    thread.join()
    assert summary.done == 4
    assert numbers_left(folder) == [1, 2, 3]
    [elsewhere] = [event for event in heard.of("finished") if event.get("elsewhere")]
    assert elsewhere["address"] == plan.addresses[0]
    assert heard.of("finished")[-1]["address"] == plan.addresses[last]


def test_what_another_driver_gave_up_is_run_here(store, folder, heard):
    plan = sleeps(folder, 2)
    say(store, beat_of(running=plan.addresses[:1], every=60.0))
    threading.Timer(0.5, lambda: say(store, beat_of(every=60.0))).start()
    assert Inline(beat_seconds=QUICK).drain(plan, store, heard).done == 2
    assert numbers_left(folder) == [1, 0]


def test_of_two_drivers_that_have_the_same_in_mind_the_one_that_said_it_first_keeps_it(store):
    mine = ["0" * 16, "1" * 16, "2" * 16]
    drivers = Drivers(store, new_run_id(), "small", **KNOWING)
    say(store, beat_of(upcoming=mine[:1], every=9))
    drivers.foresee(mine)
    drivers.beat()
    news = drivers.news()
    assert (news.held, news.ours) == ({mine[0]}, (mine[1], mine[2]))
    say(store, beat_of(upcoming=mine[:2], running=mine[2:], every=9))
    drivers.beat()
    news = drivers.news()
    assert (news.held, news.ours) == ({mine[0], mine[2]}, (mine[1],))  # what runs there, runs there
    drivers.beat()
    assert drivers.news() is None


@pytest.mark.parametrize("meets", range(6))
def test_two_drivers_that_come_at_once_never_both_keep_a_stage(store, meets):
    """The second one beats as a whole between the write and the listing of a beat of the first."""
    both = ["0" * 16, "1" * 16]
    calls = []
    there = counting(store, calls)
    kept = {}

    def beat(name, drivers):
        drivers.beat()
        news = drivers.news()
        kept[name] = set(news.ours) if news else kept.get(name, set())

    def between():
        if len([call for call in calls if call[0] == "list"]) == meets // 2 + 1:
            beat("second", second)

    there.bucket.before_list = between
    runs = ["20250601T000000-aaaaaa", "20250601T000000-bbbbbb"]
    if meets % 2:
        runs.reverse()
    first = Drivers(there, runs[0], "small", **KNOWING)
    second = Drivers(store, runs[1], "small", **KNOWING)
    for drivers in (first, second):
        drivers.foresee(both)
    for _ in range(3):
        beat("first", first)
        beat("second", second)
        assert not kept["first"] & kept["second"]


def test_the_beat_of_a_process_of_this_machine_that_is_gone_holds_nothing(store, folder, heard):
    code = "from orchestrator.storage.beats import this_process as p; import json, dataclasses as d"
    code += "; print(json.dumps(d.asdict(p())))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    process = Process(**json.loads(found.stdout))
    if not process.machine:
        pytest.skip("this kernel does not tell its processes apart")
    plan = sleeps(folder, 2)
    say(store, Beat(OTHER, "small", process, 600.0, tuple(plan.addresses)))
    began = time.monotonic()
    assert Inline().drain(plan, store, heard).done == 2
    assert time.monotonic() - began < 30


def test_what_lies_among_the_beats_and_is_none_disturbs_nobody(store, folder, heard):
    for name, text in {"a.json": b"{", "b.txt": b"", "c.json": b'{"run": 3}', "d/e.json": b"[]"}.items():
        store.put_bytes(f"drivers/{name}", text)
    assert Inline().drain(sleeps(folder, 2), store, heard).done == 2
    assert hear(store) == {}


# Processes


@pytest.fixture
def two_drivers(tmp_path):
    """Two started drivers that begin at the same moment."""
    with stages_importable():
        command = [sys.executable, str(HERE / "inline_driver.py"), str(tmp_path / "store"), str(tmp_path)]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        while len(list(tmp_path.glob("ready-*"))) < 2:
            time.sleep(0.01)
            assert all(process.poll() is None for process in started)
    (tmp_path / "go").touch()
    yield started
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def is_right(folder):
    """Whether every stage of the plan has its output."""
    store, plan = open_store(Path(folder) / "store"), plan_of(folder)
    found = store.manifests(plan.addresses)
    return set(found) == set(plan.addresses) and all(
        found[plan.addresses[stage]].text == plan.job(stage).text for stage in range(len(plan))
    )


def test_two_drivers_share_a_plan_and_do_little_twice(two_drivers, folder):
    said = [process.communicate(timeout=500)[0].split() for process in two_drivers]
    assert [line[:2] for line in said] == [[str(STAGES), "0"]] * 2
    assert is_right(folder)
    runs = Counter(numbers_left(folder))
    assert set(runs) == set(range(STAGES))
    assert runs.total() - STAGES <= STAGES // 4  # without heartbeats it would be nearly all of them
    by_process = Counter(event["pid"] for event in left(folder, "began"))
    assert len(by_process) == 2  # both had a share


def test_a_driver_finishes_what_a_killed_one_left(two_drivers, folder):
    while len(left(folder, "ended")) < 8:
        time.sleep(0.01)
    first, second = two_drivers
    first.send_signal(signal.SIGKILL)
    said = second.communicate(timeout=500)[0].split()
    assert said[:2] == [str(STAGES), "0"]
    assert is_right(folder)
    runs = Counter(numbers_left(folder))
    assert runs.total() - STAGES <= STAGES // 4  # the stage of the killed one among them
    assert Counter(event["number"] for event in left(folder, "ended")).total() - STAGES <= STAGES // 4
    assert open_store(Path(folder) / "store").list_keys("drivers/") == []
