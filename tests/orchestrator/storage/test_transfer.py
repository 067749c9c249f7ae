"""From one store to another: all that is missing there, verified, and nothing twice."""

from __future__ import annotations

import pytest

from orchestrator.errors import StoreError
from orchestrator.storage import Store, StoreConfig
from orchestrator.storage.inventory import take_stock
from orchestrator.storage.transfer import copy_checkpoint, copy_outputs, copy_runs, lacking

A, B, C = "00000000000000aa", "1234567890abcdef", "ffffffffffffffff"
FILES = {"model.bin": b"weights" * 1000, "deep/größe 大": b"", "log": b"1"}


@pytest.fixture(
    params=[
        ("local", "local"),
        pytest.param(("local", "rclone"), marks=pytest.mark.s3),
        pytest.param(("rclone", "local"), marks=pytest.mark.s3),
        pytest.param(("rclone", "rclone"), marks=pytest.mark.s3),
    ],
    ids="-".join,
)
def pair(request, make_bucket, tmp_path):
    """Two stores."""
    buckets = [make_bucket(name, tmp_path / str(number)) for number, name in enumerate(request.param)]
    return [Store(bucket, StoreConfig(bucket.uri)) for bucket in buckets]


@pytest.fixture
def source(pair, publish_to):
    publish_to(pair[0], A, FILES, metrics={"accuracy": 0.5})
    publish_to(pair[0], B, {"other": b"2"})
    publish_to(pair[0], C, {})
    return pair[0]


@pytest.fixture
def target(pair):
    return pair[1]


@pytest.fixture
def publish_to():
    def publish(store, address, files, **manifest):
        with store.publish(address) as draft:
            for name, content in files.items():
                (draft.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (draft.folder / name).write_bytes(content)
            draft.manifest = {"stage": "train", **manifest}

    return publish


def missing(source, target):
    here, there = take_stock(source), take_stock(target)
    return lacking(here, there, source.manifests(here.manifests), target.manifests(there.manifests))


def copy(source, target):
    return {item.name: item.problem for item in copy_outputs(source, target, missing(source, target))}


def contents(store):
    keys = [key for key in store.list_keys("") if not key.startswith("scratch/")]
    return dict(zip(keys, store.get_many(keys), strict=True))


def test_a_copy_is_the_same_byte_for_byte(source, target):
    before = contents(source)
    assert copy(source, target) == {A: None, B: None, C: None}
    assert contents(source) == contents(target) == before
    folder = target.fetch(A)
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES


def test_what_is_there_is_not_copied_again(source, target, publish_to):
    publish_to(target, B, {"other": b"own"})
    assert missing(source, target) == [A, C]
    copy(source, target)
    assert (target.fetch(B) / "other").read_bytes() == b"own"
    assert missing(source, target) == []


def test_a_payload_that_the_target_lost_is_brought_back(source, target):
    copy(source, target)
    target.drop_payload(A)
    assert missing(source, target) == [A]
    copy(source, target)
    assert contents(target) == contents(source)


def test_a_dropped_payload_is_copied_as_dropped(source, target):
    source.drop_payload(A)
    assert copy(source, target) == {A: None, B: None, C: None}
    assert contents(target) == contents(source)
    assert target.manifest(A).metrics == {"accuracy": 0.5}
    assert missing(source, target) == []


@pytest.mark.parametrize("damage", ["flip", "delete", "manifest"])
def test_what_is_damaged_is_not_copied_and_named(source, target, damage):
    key = f"payload/{A}/{source.manifest(A).attempt}/log"
    if damage == "manifest":
        key = f"outputs/{A}/manifest.json"
    source.delete_keys([key])
    if damage != "delete":
        source.bucket.put(key, b"2")
    problems = copy(source, target)
    expected = {"flip": "log has sha256", "delete": "log is missing", "manifest": "no manifest"}[damage]
    assert expected in problems.pop(A)
    assert problems == {B: None, C: None}
    assert target.done() == {B, C}
    assert not any(A in key for key in contents(target))


def test_what_did_not_arrive_as_it_was_sent_has_no_manifest(source, target, monkeypatch):
    upload = type(target.bucket).upload

    def garbled(bucket, folder, prefix):
        upload(bucket, folder, prefix)
        key = f"{prefix}model.bin"
        bucket.delete([key])
        bucket.put(key, b"wEights" * 1000)

    monkeypatch.setattr(type(target.bucket), "upload", garbled)
    (copied,) = copy_outputs(source, target, [A])
    assert "did not arrive as it was sent" in copied.problem
    monkeypatch.undo()
    assert target.done() == set()
    assert copy(source, target)[A] is None
    assert contents(target) == contents(source)


def test_a_copy_that_broke_off_continues(source, target, monkeypatch):
    put = type(target.bucket).put

    def broken(bucket, key, data):
        if A in key:
            raise StoreError("the line is dead")
        put(bucket, key, data)

    monkeypatch.setattr(type(target.bucket), "put", broken)
    with pytest.raises(StoreError):
        copy(source, target)
    monkeypatch.undo()
    assert A not in target.done()
    copy(source, target)
    assert contents(target) == contents(source)


def test_the_newest_checkpoint_goes_along(source, target):
    for step in (3, 5):
        folder = source.bucket.scratch.new()
        (folder / "deep").mkdir()
        (folder / "deep/state").write_bytes(b"%d" % step)
        source.save_checkpoint("0" * 16, step, folder)
    assert copy_checkpoint(source, target, "0" * 16).size == 1
    step, folder = target.latest_checkpoint("0" * 16)
    assert (step, (folder / "deep/state").read_bytes()) == (5, b"5")
    assert copy_checkpoint(source, target, "0" * 16) is None
    assert copy_checkpoint(source, target, "1" * 16) is None


def test_journals_go_along_as_far_as_they_are_longer(source, target):
    source.put_bytes("runs/a/1/journal-00000.jsonl", b"one\ntwo\n")
    source.put_bytes("runs/b/1/journal-00000.jsonl", b"other\n")
    target.put_bytes("runs/a/1/journal-00000.jsonl", b"one\n")
    assert [item.name for item in copy_runs(source, target, ["a"])] == ["runs/a/1/journal-00000.jsonl"]
    assert target.get_bytes("runs/a/1/journal-00000.jsonl") == b"one\ntwo\n"
    assert list(copy_runs(source, target, ["a"])) == []
    assert len(list(copy_runs(source, target, ["a", "b"]))) == 1
