"""A store in which somebody else wrote: nothing in it leads out of it, and nothing brings a command down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import OutputDamaged
from orchestrator.storage import Store, StoreConfig
from orchestrator.storage.collect import Rules, find_waste, remove
from orchestrator.storage.inventory import take_stock
from orchestrator.storage.transfer import copy_outputs
from orchestrator.storage.verify import check

A, B = "1234567890abcdef", "ffffffffffffffff"
SHA = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of b"x"
FILE = {"size": 1, "sha256": SHA}
HOSTILE = {
    "a file above": {"files": {"../../../../precious": FILE}},
    "an absolute file": {"files": {"/tmp/precious": FILE}},
    "a drive": {"files": {"C:precious": FILE}},
    "an attempt above": {"attempt": "../../outputs"},
    "an address above": {"address": "../../../precious"},
    "another address": {"address": B},
    "an input above": {"inputs": {"model": {"address": "../../precious", "digest": ""}}},
    "a part above": {"inputs": {"model": {"address": B, "digest": "", "part": "../../precious"}}},
    "a role above": {"inputs": {"../../precious": {"address": B, "digest": ""}}},
    "no numbers": {"metrics": {"accuracy": {"a": 1}}},
    "a deep nest": {"fields": 2000},
}


@pytest.fixture(params=["local", pytest.param("rclone", marks=pytest.mark.s3)])
def bucket(request, make_bucket, tmp_path):
    return make_bucket(request.param, tmp_path / "machine")


@pytest.fixture
def around(tmp_path):
    """What lies beside the store, as a snapshot; it must never change."""
    (tmp_path / "precious").write_text("x")
    (tmp_path / "machine").mkdir(exist_ok=True)

    def look():
        return {
            path: path.read_bytes()
            for path in tmp_path.rglob("*")
            if path.is_file() and Path("machine") not in path.relative_to(tmp_path).parents
        }

    return look


def text_of(change):
    """A manifest as somebody writes it who knows how."""
    given = {"format": 1, "address": A, "attempt": "abcdef", "stage": "train", "files": {"x": FILE}} | change
    nested = "[" * 2000 + "]" * 2000 if change.get("fields") == 2000 else None
    return json.dumps(given).replace("2000", nested or "2000").encode()


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_manifest_is_damage_and_leads_nowhere(store, around, make_bucket, tmp_path, change):
    store.bucket.put(f"outputs/{A}/manifest.json", text_of(change))
    store.bucket.put(f"payload/{A}/abcdef/x", b"x")
    before = around()
    for read in (store.manifest, store.fetch):
        with pytest.raises(OutputDamaged, match=f"outputs/{A}/manifest.json"):
            read(A)
    assert store.manifests([A]) == {}
    assert store.dropped([A]) == set()
    assert not store.is_whole(A)
    stock = take_stock(store)
    assert [item.address for item in check(store, stock) if item.problem] == [A]
    assert list(find_waste(stock, {}, Rules(store.now() + 7200, referred=set()))) == []
    bucket = make_bucket("local", tmp_path / "machine" / "other")
    (copied,) = copy_outputs(store, Store(bucket, StoreConfig(bucket.uri)), [A])
    assert copied.problem
    assert list(bucket.list("")) == []
    store.quarantine(A, "hostile")
    assert store.done() == set()
    with store.publish(A) as draft:
        (draft.folder / "x").write_bytes(b"x")
        draft.manifest = {"stage": "train"}
    assert (store.fetch(A) / "x").read_bytes() == b"x"
    assert around() == before


@pytest.mark.parametrize(
    "text",
    [
        *(
            json.dumps({name: FILE})
            for name in ("../../../precious", "/tmp/precious", "a/../../../../precious")
        ),
        "[" * 100_000,
    ],
    ids=["above", "absolute", "up and down", "deep"],
)
def test_a_hostile_marker_of_a_checkpoint_leads_nowhere(store, around, text):
    store.bucket.put(f"checkpoints/{A}/000000009-abcd.json", text.encode())
    before = around()
    assert store.latest_checkpoint(A) is None
    stock = take_stock(store)
    assert [item.problem is None for item in check(store, stock)] == [False]
    store.clear_checkpoints(A)
    assert around() == before


def test_names_of_objects_that_are_none_of_ours_are_passed_over(store, around):
    keys = [
        "outputs/..%2f..%2fprecious/manifest.json",
        f"outputs/{A}/deep/manifest.json",
        f"payload/{A}/..%2f/x",
        "payload/notanaddress/abcdef/x",
        f"checkpoints/{A}/9-x/state",
        f"checkpoints/{A}/x.json",
        "runs/a",
    ]
    for key in keys:
        store.bucket.put(key, b"{}")
    before = around()
    stock = take_stock(store)
    assert store.done() == set()
    assert [item for item in check(store, stock) if item.problem] == []
    for waste in find_waste(stock, {}, Rules(store.now() + 7200, referred=set())):
        remove(store, waste)
    assert store.list_keys("") == sorted(keys)
    assert around() == before
