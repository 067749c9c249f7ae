"""Whatever is not as it was written is found, on a folder and on a server."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.identity import digest
from orchestrator.storage.inventory import take_stock
from orchestrator.storage.manifest import StoredFile
from orchestrator.storage.verify import check

TEXT = '{"fields":{},"stage":"train"}'
A, B = digest(TEXT), "ffffffffffffffff"


@pytest.fixture(params=["local", pytest.param("rclone", marks=pytest.mark.s3)])
def bucket(request, make_bucket, tmp_path):
    return make_bucket(request.param, tmp_path)


def found(store, wanted=None):
    """What `check` says, by address; of checkpoints by their prefix."""
    return {
        item.checkpoint.prefix if item.checkpoint else item.address: item
        for item in check(store, take_stock(store), wanted)
    }


def problems(store, wanted=None):
    return {name: item.problem for name, item in found(store, wanted).items() if item.problem}


def replace_object(store, key, content):
    store.delete_keys([key])
    store.bucket.put(key, content)


@pytest.fixture
def whole(store, publish):
    """A store with an output with files, one without, and a checkpoint."""
    publish(A, {"model.bin": b"weights", "logs/one": b"", "big": b"x" * 3_000_000}, text=TEXT)
    publish(B)
    folder = store.bucket.scratch.new()
    (folder / "state").write_bytes(b"half way")
    store.save_checkpoint("0" * 16, 7, folder)
    return store


def key_of(store, name):
    return f"payload/{A}/{store.manifest(A).attempt}/{name}"


def test_a_whole_store_has_no_problems(whole):
    items = found(whole)
    assert len(items) == 3
    assert not any(item.problem or item.dropped for item in items.values())
    assert items[A].size == 3_000_007
    assert [item.stage for item in items.values() if item.checkpoint is None] == ["train", "train"]


def test_only_what_is_wanted_is_looked_at(whole):
    assert set(found(whole, [B, "1" * 16])) == {B}
    assert len(found(whole, ["0" * 16])) == 1


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("model.bin", b"weiGhts", "model.bin has sha256 "),
        ("big", b"x" * 2_999_999 + b"y", "big has sha256 "),
        ("model.bin", b"weig", "model.bin has 4 bytes instead of 7"),
        ("logs/one", b"1", "logs/one has 1 bytes instead of 0"),
        ("model.bin", None, "model.bin is missing"),
    ],
)
def test_damage_of_a_file_is_found_and_named(whole, name, content, problem):
    if content is None:
        whole.delete_keys([key_of(whole, name)])
    else:
        replace_object(whole, key_of(whole, name), content)
    (said,) = problems(whole).values()
    assert said.startswith(problem)


def test_damage_of_a_manifest_is_found(whole):
    key = f"outputs/{A}/manifest.json"
    text = whole.get_bytes(key)
    replace_object(whole, key, text.replace(b'"stage": "train"', b'"stage": "trainn"'))
    assert problems(whole) == {
        A: f"{key}: no manifest: it was changed after it was written: its own sha256 differs"
    }
    replace_object(whole, key, text[:-20])
    assert list(problems(whole)) == [A]


def test_a_manifest_that_contradicts_itself_is_found(whole):
    manifest = whole.manifest(A)
    key = f"outputs/{A}/manifest.json"
    replace_object(whole, key, replace(manifest, text=TEXT.replace("train", "prune")).to_json())
    assert problems(whole) == {A: "its canonical text is that of another address"}
    files = {**manifest.files, "logs/one": StoredFile(0, "0" * 64)}
    replace_object(whole, key, replace(manifest, files=files).to_json())
    assert problems(whole) == {A: "its digest is not that of its files"}


def test_a_dropped_payload_is_no_damage(whole):
    whole.drop_payload(A)
    assert problems(whole) == {}
    assert [name for name, item in found(whole).items() if item.dropped] == [A]


def test_what_is_replaced_while_it_is_looked_at_is_no_damage(whole, publish, monkeypatch):
    stock = take_stock(whole)
    sha256 = type(whole.bucket).sha256

    def replaced(bucket, key):
        monkeypatch.undo()
        whole.discard(A)
        publish(A, {"model.bin": b"others"}, text=TEXT)
        return sha256(bucket, key)

    monkeypatch.setattr(type(whole.bucket), "sha256", replaced)
    assert not any(item.problem or item.dropped for item in check(whole, stock, [A]))
    whole.discard(A)
    assert [(item.problem, item.dropped) for item in check(whole, stock, [A])] == [(None, False)]


@pytest.mark.parametrize("damage", ["flip", "gone", "marker"])
def test_damage_of_a_checkpoint_is_found(whole, damage):
    (marker,) = [key for key in whole.list_keys("checkpoints/") if key.endswith(".json")]
    prefix = marker.removesuffix(".json") + "/"
    if damage == "flip":
        replace_object(whole, f"{prefix}state", b"hAlf way")
    elif damage == "gone":
        whole.delete_keys([f"{prefix}state"])
    else:
        replace_object(whole, marker, json.dumps({"../../x": {"size": 1, "sha256": "0" * 64}}).encode())
    assert list(problems(whole)) == [prefix]
