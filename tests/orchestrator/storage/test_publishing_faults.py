"""An exception at every write of a publish leaves the whole output or nothing."""

from __future__ import annotations

import itertools

import pytest

from orchestrator.errors import StoreError
from orchestrator.storage import Bucket, Store

A = "1234567890abcdef"
WRITES = ("put", "upload", "delete", "remove")


@pytest.fixture(params=["local", pytest.param("rclone", marks=pytest.mark.s3)])
def bucket(request, make_bucket, tmp_path):
    return make_bucket(request.param, tmp_path)


class Broken(Bucket):
    """Another bucket whose ``fail_at``-th write raises ``error`` before, after or in the middle of it."""

    def __init__(self, inner, fail_at, when, error=StoreError):
        self.inner, self.fail_at, self.when, self.error, self.writes = inner, fail_at, when, error, 0

    def _write(self, act, *given):
        self.writes += 1
        if self.writes != self.fail_at:
            return act(*given)
        if self.when == "after":
            act(*given)
        if self.when == "half" and act == self.inner.upload:
            self.inner.put(f"{given[1]}file", b"ha")
        raise self.error("the line is dead")

    def put(self, key, data):
        self._write(self.inner.put, key, data)

    def upload(self, folder, prefix):
        self._write(self.inner.upload, folder, prefix)

    def delete(self, keys):
        self._write(self.inner.delete, keys)

    def remove(self, prefix):
        self._write(self.inner.remove, prefix)

    def list(self, prefix):
        return self.inner.list(prefix)

    def entries(self, prefix):
        return self.inner.entries(prefix)

    def holders(self, prefix, name):
        return self.inner.holders(prefix, name)

    def get(self, key, tag=""):
        return self.inner.get(key, tag)

    def fetch(self, key, path):
        return self.inner.fetch(key, path)

    def sha256(self, key):
        return self.inner.sha256(key)

    def download(self, prefix, names, *, fresh=False):
        return self.inner.download(prefix, names, fresh=fresh)

    def now(self):
        return self.inner.now()

    @property
    def uri(self):
        return self.inner.uri

    @property
    def scratch(self):
        return self.inner.scratch


def attempt(store):
    with store.publish(A) as draft:
        (draft.folder / "file").write_bytes(b"whole")
        (draft.folder / "second").write_bytes(b"too")
        draft.manifest = {"stage": "train"}


def is_whole_or_absent(store):
    """Whether the output is there; fails if it is there in part."""
    if store.manifest(A) is None:
        assert store.done() == set()
        return False
    assert store.done() == {A}
    folder = store.fetch(A)
    assert ((folder / "file").read_bytes(), (folder / "second").read_bytes()) == (b"whole", b"too")
    return True


@pytest.mark.parametrize("when", ["before", "half", "after"])
@pytest.mark.parametrize("error", [StoreError, KeyboardInterrupt])
def test_a_fault_at_any_write_of_a_publish_leaves_all_or_nothing(store, when, error):
    raised = []
    for fail_at in itertools.count(1):
        broken = Broken(store.bucket, fail_at, when, error)
        try:
            attempt(Store(broken, store.config))
        except error:
            raised.append(fail_at)
        else:
            # An error that hid a write which arrived is no error; anything else must have been told.
            assert is_whole_or_absent(store)
        is_whole_or_absent(store)
        attempt(store)  # whoever comes next is not in the way of what is left
        assert is_whole_or_absent(store)
        store.discard(A)
        if broken.writes < fail_at:
            break
    assert fail_at == 3  # the payload and the manifest are the two writes of a publish
    assert raised == ([1] if when == "after" and error is StoreError else [1, 2])


def test_a_fault_while_uploading_takes_the_started_payload_away(store):
    with pytest.raises(StoreError, match="the line is dead"):
        attempt(Store(Broken(store.bucket, 1, "half"), store.config))
    assert store.list_keys("") == []


def test_a_manifest_that_may_still_arrive_keeps_its_payload(store):
    """A timed-out request can be carried out later: the payload must be there then."""
    broken = Broken(store.bucket, 2, "before")
    with pytest.raises(StoreError, match="the line is dead"):
        attempt(Store(broken, store.config))
    assert len(store.list_keys("payload/")) == 2
    assert store.done() == set()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fault_at_any_write_of_a_discard_leaves_nothing_half_visible(store, when):
    for fail_at in (1, 2):
        attempt(store)
        with pytest.raises(StoreError):
            Store(Broken(store.bucket, fail_at, when), store.config).discard(A)
        is_whole_or_absent(store)
        store.discard(A)
        assert store.list_keys("") == []


@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_a_fault_at_any_write_of_a_checkpoint_leaves_a_whole_one(store, when):
    def save(into, step):
        folder = store.bucket.scratch.new()
        (folder / "file").write_bytes(b"%d" % step)
        into.save_checkpoint(A, step, folder)

    for fail_at in range(1, 5):
        for step in (1, 2):
            save(store, step)
        with pytest.raises(StoreError):
            save(Store(Broken(store.bucket, fail_at, when), store.config), 3)
        step, folder = store.latest_checkpoint(A)
        assert step in (2, 3)
        assert (folder / "file").read_bytes() == b"%d" % step
        store.clear_checkpoints(A)
        assert store.list_keys("") == []
