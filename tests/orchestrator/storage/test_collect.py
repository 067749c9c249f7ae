"""What nobody needs goes, and nothing else, on a folder and on a server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.storage.collect import Rules, Waste, dead_scratch, find_waste, remove
from orchestrator.storage.inventory import Folder, Inventory, take_stock

A, B, C = "00000000000000aa", "1234567890abcdef", "ffffffffffffffff"
HOURS = 3600.0


@pytest.fixture(params=["local", pytest.param("rclone", marks=pytest.mark.s3)])
def bucket(request, make_bucket, tmp_path):
    return make_bucket(request.param, tmp_path)


def waste(store, later=2 * HOURS, **rules):
    """What could go ``later``."""
    stock = take_stock(store)
    manifests = store.manifests(stock.manifests, stock.listed)
    return list(find_waste(stock, manifests, Rules(store.now() + later, **rules)))


def kinds(store, **given):
    return [(item.kind, item.address) for item in waste(store, **given)]


def checkpoint(store, address, step):
    folder = store.bucket.scratch.new()
    (folder / "state").write_bytes(b"%d" % step)
    store.save_checkpoint(address, step, folder)


@pytest.fixture
def three(publish):
    for address in (A, B, C):
        publish(
            address, {"model": b"12345", "log": b"1"} if address != C else {}, stage=f"stage-{address[0]}"
        )


def test_a_store_in_order_has_no_waste(store, three):
    checkpoint(store, "0" * 16, 3)
    assert kinds(store) == []
    assert kinds(store, referred={A, B, C, "0" * 16}) == []


def test_what_no_sweep_refers_to_can_go_with_all_it_has(store, three):
    checkpoint(store, "0" * 16, 3)
    checkpoint(store, A, 3)
    found = waste(store, referred={B})
    assert [(item.kind, item.address, item.stage) for item in found] == [
        ("checkpoint", "0" * 16, ""),
        ("output", A, "stage-0"),
        ("checkpoint", A, ""),
        ("output", C, "stage-f"),
    ]
    size = len(store.get_bytes(f"outputs/{A}/manifest.json"))
    assert found[1].size == 6 + size
    assert all(remove(store, item) for item in found)
    assert store.done() == {B}
    assert all(B in key for key in store.list_keys(""))
    assert (store.fetch(B) / "model").read_bytes() == b"12345"
    assert kinds(store, referred={B}) == []


def test_manifests_can_be_kept(store, three):
    found = waste(store, referred={B}, keep_manifests=True)
    assert [(item.kind, item.address, item.size) for item in found] == [("payload", A, 6)]
    assert remove(store, found[0])
    assert store.done() == {A, B, C}
    assert kinds(store, referred={B}, keep_manifests=True) == []


def test_what_is_younger_than_an_hour_stays(store, three, publish):
    store.bucket.put(f"payload/{A}/abcdef123456/half", b"1")
    store.bucket.put("checkpoints/" + "0" * 16 + "/000000001-ab/state", b"1")
    checkpoint(store, A, 3)
    store.bucket.put(f"outputs/{B}/manifest.json", b"{")
    store.quarantine(B, "damaged")
    assert waste(store, later=0.9 * HOURS, referred=set()) == []
    assert len(waste(store, later=1.1 * HOURS, referred=set())) == 6


def test_what_a_live_driver_works_on_stays(store, three):
    store.bucket.put(f"payload/{A}/abcdef123456/half", b"1")
    checkpoint(store, A, 3)
    assert kinds(store, busy={A}, referred=set()) == [("output", B), ("output", C)]


def test_attempts_without_a_manifest_are_orphans(store, three):
    store.bucket.put(f"payload/{A}/abcdef123456/half", b"123")
    store.bucket.put("payload/" + "0" * 16 + "/abcdef123456/half", b"1")
    found = waste(store)
    assert [(item.kind, item.address, item.size) for item in found] == [
        ("attempt", "0" * 16, 1),
        ("attempt", A, 3),
    ]
    assert all(remove(store, item) for item in found)
    assert (store.fetch(A) / "model").read_bytes() == b"12345"
    assert kinds(store) == []


def test_an_attempt_that_got_its_manifest_meanwhile_stays(store, publish):
    stock = take_stock(store)
    manifest = publish(A, {"model": b"1"})
    late = take_stock(store)
    seen_before = Inventory({}, late.attempts, stock.checkpoints)
    (orphan,) = find_waste(seen_before, {}, Rules(store.now() + 2 * HOURS))
    assert orphan == Waste("attempt", A, manifest.attempt, 1)
    assert not remove(store, orphan)
    assert (store.fetch(A) / "model").read_bytes() == b"1"


def test_an_output_that_was_made_again_meanwhile_stays(store, three, publish):
    output, *_ = waste(store, referred={B, C})
    store.discard(A)
    publish(A, {"model": b"new"})
    assert not remove(store, output)
    assert (store.fetch(A) / "model").read_bytes() == b"new"


def test_a_damaged_manifest_and_its_payload_are_left_to_verify(store, three):
    (attempt,) = [item for item in waste(store, referred={B, C}) if item.address == A]
    store.bucket.put(f"outputs/{A}/manifest.json", b"{")
    assert kinds(store, referred={B, C}) == []
    assert not remove(store, attempt)
    assert len(store.list_keys("payload/" + A)) == 2


def test_checkpoints_of_done_stages_and_incomplete_ones_can_go(store, three):
    checkpoint(store, A, 3)
    checkpoint(store, "0" * 16, 5)
    store.bucket.put("checkpoints/" + "0" * 16 + "/000000009-ab12/state", b"half")
    found = waste(store)
    assert [(item.address, item.name[:10]) for item in found] == [
        ("0" * 16, "000000009-"),
        (A, "000000003-"),
    ]
    assert all(remove(store, item) for item in found)
    assert store.latest_checkpoint("0" * 16)[0] == 5
    assert [key for key in store.list_keys("checkpoints/") if A in key] == []


def test_quarantined_manifests_and_their_payload_can_go(store, publish):
    publish(A, {"model": b"weights"})
    (key,) = store.list_keys("payload/")
    store.delete_keys([key])
    store.bucket.put(key, b"weiGhts")
    store.quarantine(A, "flipped")
    found = waste(store)
    assert [(item.kind, item.address) for item in found] == [("attempt", A), ("quarantine", A)]
    assert all(remove(store, item) for item in found)
    assert store.list_keys("") == []


def test_what_is_none_of_ours_is_left_alone(store):
    keys = ["notes.txt", "payload/readme", "outputs/x", "runs/a/b/c", "drivers/x.json", "payload/zz/1/file"]
    for key in keys:
        store.bucket.put(key, b"1")
    assert waste(store, referred=set()) == []
    assert store.list_keys("") == sorted(keys)


def test_a_file_that_was_written_long_ago_and_has_just_arrived_is_young(tmp_path):
    from orchestrator.storage import open_store

    store = open_store(tmp_path / "store")
    with store.publish(A) as draft:
        path = draft.folder / "model"
        path.write_bytes(b"1")
        os.utime(path, (1, 1))  # training went on for hours after it was written
        draft.manifest = {"stage": "train"}
    (folder,) = take_stock(store).attempts[A]
    assert folder.written > time.time() - 60


LEAVE = """
import os, sys
from pathlib import Path
from orchestrator.storage.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
(scratch.new() / "half").write_bytes(b"1" * 1000)
print(scratch.mine(), flush=True)
os._exit(9)
"""


def test_the_scratch_of_dead_processes_can_go_and_asking_removes_nothing(store):
    left = subprocess.run(
        [sys.executable, "-c", LEAVE, store.bucket.scratch.root], capture_output=True, text=True, check=False
    ).stdout.strip()
    assert list(dead_scratch(store, store.now())) == []
    (found,) = dead_scratch(store, store.now() + 2 * HOURS)
    assert (found.kind, found.name) == ("scratch", left)
    assert found.size >= 1000
    assert Path(left).is_dir()
    assert remove(store, found)
    assert not Path(left).exists()
    assert remove(store, found)  # somebody else was faster


def test_nothing_else_is_needed_to_judge_a_listing():
    folder = Folder(A, "abcd", f"payload/{A}/abcd/", {"x": 3, "y": 4}, written=1000.0)
    stock = Inventory({}, {A: [folder]}, {})
    assert folder.size == 7
    assert list(find_waste(stock, {}, Rules(1000.0 + 3600))) == []
    assert list(find_waste(stock, {}, Rules(1000.1 + 3600))) == [Waste("attempt", A, "abcd", 7)]
