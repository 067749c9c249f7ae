"""Heartbeats on every store: who is heard, how fresh they are, and what that costs."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time

import pytest

from orchestrator.engine.drivers import Drivers
from orchestrator.storage import Store, StoreConfig
from orchestrator.storage.beats import LATE, Beat, Heard, Process, hear, this_process

RUN = "20260101T000000-aaaaaa"
FAR = Process("far", 7, "another boot", 5)
ADDRESSES = ("0" * 16, "f" * 16)


def beat(every=10.0, process=FAR, run=RUN):
    return Beat(run, "small", process, every, ADDRESSES[:1], ADDRESSES[1:])


def write(store, given):
    store.put_bytes(given.key, given.to_json())


def test_a_beat_is_heard_as_it_was_said_and_is_fresh_by_the_clock_of_the_server(store):
    write(store, beat())
    [heard] = hear(store).values()
    assert heard.beat == beat()
    now = store.now()
    assert -2 < now - heard.modified < 30
    assert heard.is_fresh(heard.modified + LATE * 10.0)
    assert not heard.is_fresh(heard.modified + LATE * 10.0 + 1)


def test_what_is_known_is_read_again_only_after_it_changed(store, monkeypatch):
    write(store, beat())
    known = hear(store)
    read = []
    monkeypatch.setattr(Store, "get_bytes", lambda self, key: read.append(key))
    assert hear(store, known) == known
    assert read == []
    time.sleep(1.1)  # as finely as S3 dates
    write(store, beat(every=20.0))
    hear(store, known)
    assert read == [beat().key]


def test_a_beat_that_vanishes_is_heard_no_more(store):
    write(store, beat())
    known = hear(store)
    store.delete_keys([beat().key])
    assert hear(store, known) == {}


@pytest.mark.s3
def test_a_beat_on_s3_is_two_requests_however_often(rclone, credentials, make_bucket, tmp_path):
    bucket = make_bucket("rclone", tmp_path)
    asked = []
    bucket._client().meta.events.register("before-call.s3", lambda model, **rest: asked.append(model.name))
    drivers = Drivers(
        Store(bucket, StoreConfig(bucket.uri)),
        RUN,
        "small",
        knows=lambda address: True,
        published=lambda addresses: (),
        every_seconds=9,
    )
    for _ in range(3):
        drivers.beat()
    assert asked == ["PutObject", "ListObjectsV2"] * 3


def test_a_thousand_stages_fit_into_a_small_beat():
    many = tuple(f"{number:016x}" for number in range(1000))
    assert len(Beat(RUN, "small", FAR, 5.0, many[:500], many[500:]).to_json()) < 20_000


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        beat().to_json().replace(b'"pid":7', b'"pid":"7"'),
        beat().to_json().replace(b'"running":[', b'"running":3,"r":['),
    ],
)
def test_what_is_no_beat_is_refused(text):
    with pytest.raises(ValueError):
        Beat.from_json(RUN, text)


def test_what_is_no_address_is_not_taken_for_one_nor_any_pause_for_true():
    data = json.loads(beat().to_json())
    data |= {"running": ["../x", 3, *ADDRESSES], "every_seconds": 1e12}
    found = Beat.from_json(RUN, json.dumps(data).encode())
    assert found.running == ADDRESSES
    assert found.every_seconds == 600


def test_a_process_of_this_machine_is_known_to_be_gone_and_one_of_another_never_is():
    assert not this_process().is_gone()
    code = "import sys, dataclasses, json; from orchestrator.storage.beats import this_process as me"
    code += "; print(json.dumps(dataclasses.asdict(me())), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        other = Process(**json.loads(child.stdout.readline()))
        assert other.pid == child.pid
        assert not other.is_gone()
        assert dataclasses.replace(other, born=other.born + 1).is_gone() == bool(
            other.machine
        )  # id used again
        assert not Heard(beat(process=other), 0.0).is_fresh(1e9)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
        assert other.is_gone() == bool(other.machine)
    assert other.is_gone() == bool(other.machine)
    assert not dataclasses.replace(other, machine="another boot").is_gone()
    assert Heard(beat(process=FAR), 0.0).is_fresh(1.0)
