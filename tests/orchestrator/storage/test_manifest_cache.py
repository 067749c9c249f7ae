"""Manifests that were read before are not fetched again while the listing says that they are the same."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import replace

import pytest

from orchestrator.errors import InputError
from orchestrator.storage import StoreConfig, open_store
from orchestrator.storage.remembered import Remembered
from orchestrator.storage.s3 import S3Bucket
from orchestrator.storage.scratch import Scratch

COUNT = 100
ADDRESSES = [f"{number:02x}{number:014x}" for number in range(COUNT)]
#: A page that says that there are more, then a listing by each of 16 hexadecimal digits.
LISTING = Counter(ListObjectsV2=1 + 16)


class Asked:
    """A store on a server, opened again and again on one machine, and the requests it sends."""

    def __init__(self, config):
        self.config = config
        self.sent = []
        self.store = None
        self.open()

    def open(self):
        """As another process on this machine would."""
        self.store = open_store(self.config)
        self.store.bucket._client().meta.events.register("before-call.s3", self._note)
        return self.store

    def _note(self, model, params, **rest):
        self.sent.append(model.name)

    def by(self, act):
        """What was sent while ``act`` ran, and what came back."""
        self.sent.clear()
        found = act()
        return Counter(self.sent), found

    def publish(self, address, **manifest):
        with self.store.publish(address) as draft:
            draft.manifest = {"stage": "train", **manifest}


@pytest.fixture
def server(request):
    """The fixture of the server; a test may choose another."""
    return getattr(request, "param", "rclone")


@pytest.fixture
def asked(request, server, credentials, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(S3Bucket, "page", COUNT // 2)
    return Asked(StoreConfig(f"s3://sweeps/{tmp_path.name}", endpoint=request.getfixturevalue(server)))


@pytest.fixture
def filled(asked):
    """With many outputs, of which nothing was read yet."""
    asked.publish(ADDRESSES[0])
    manifest = asked.store.manifest(ADDRESSES[0])
    asked.store._each(
        lambda address: asked.store.put_bytes(
            f"outputs/{address}/manifest.json", replace(manifest, address=address).to_json()
        ),
        ADDRESSES,
    )
    return asked


@pytest.mark.s3
@pytest.mark.parametrize("server", ["rclone", "moto"], indirect=True)
def test_only_what_is_new_or_changed_is_fetched(filled):
    first, manifests = filled.by(lambda: filled.store.manifests(ADDRESSES))
    assert first == LISTING + Counter(GetObject=COUNT)
    assert list(manifests) == ADDRESSES

    store = filled.open()
    assert filled.by(lambda: store.manifests(ADDRESSES)) == (LISTING, manifests)
    tags = store.listing()
    assert filled.by(lambda: store.manifests(ADDRESSES, tags)) == (Counter(), manifests)

    filled.publish("f" * 16)
    filled.store.discard(ADDRESSES[7])
    filled.publish(ADDRESSES[7], metrics={"accuracy": 0.5})
    filled.store.discard(ADDRESSES[8])
    again, manifests = filled.by(lambda: store.manifests([*ADDRESSES, "f" * 16, "e" * 16]))
    assert again == LISTING + Counter(GetObject=2)
    assert manifests[ADDRESSES[7]].metrics == {"accuracy": 0.5}
    assert set(manifests) == {*ADDRESSES, "f" * 16} - {ADDRESSES[8]}


@pytest.mark.s3
def test_what_was_never_run_costs_no_request_each(asked):
    assert asked.by(lambda: asked.store.manifests(ADDRESSES)) == (Counter(ListObjectsV2=1), {})


@pytest.mark.s3
def test_a_few_manifests_are_asked_for_without_a_listing(filled):
    sent, found = filled.by(lambda: filled.store.manifests(ADDRESSES[:3]))
    assert (sent, len(found)) == (Counter(GetObject=3), 3)


@pytest.mark.s3
def test_what_is_kept_and_was_changed_on_this_machine_is_fetched_again(filled, tmp_path):
    manifests = filled.store.manifests(ADDRESSES)
    kept = [path for path in tmp_path.rglob("read/*/*/*") if path.is_file()]
    assert len(kept) == COUNT
    kept[0].write_bytes(kept[0].read_bytes().replace(b'"train"', b'"prune"'))
    kept[1].write_bytes(kept[1].read_bytes()[:-9])
    kept[2].write_bytes(b"")
    store = filled.open()
    assert filled.by(lambda: store.manifests(ADDRESSES)) == (LISTING + Counter(GetObject=3), manifests)


@pytest.mark.s3
def test_one_manifest_is_always_that_of_the_service(filled):
    filled.store.manifests(ADDRESSES)
    filled.store.discard(ADDRESSES[5])
    filled.publish(ADDRESSES[5], metrics={"accuracy": 0.25})
    assert filled.store.manifest(ADDRESSES[5]).metrics == {"accuracy": 0.25}


@pytest.mark.s3
def test_a_place_for_copies_that_others_may_write_to_is_refused(asked, tmp_path):
    config = asked.config
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for place in (open_to_all, tmp_path / "link"):
        with pytest.raises(InputError, match="others may write to it; remove it, or name another place"):
            S3Bucket(config, place).check()
    S3Bucket(config, tmp_path / "mine").check()
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700


def remembered(tmp_path, limit=1 << 20):
    return Remembered(tmp_path / "read", Scratch(tmp_path / "scratch"), limit)


def test_a_text_is_remembered_under_its_tag_only(tmp_path):
    texts = remembered(tmp_path)
    texts.keep("outputs/aa/m", "one", b"first\nline")
    assert texts.get("outputs/aa/m", "one") == b"first\nline"
    assert texts.get("outputs/aa/m", "two") is None
    assert texts.get("outputs/ab/m", "one") is None
    texts.keep("outputs/aa/m", "two", b"")
    assert texts.get("outputs/aa/m", "two") == b""
    assert texts.get("outputs/aa/m", "one") is None


def test_what_is_remembered_stays_below_its_limit_and_the_newest_stay(tmp_path):
    for number in range(50):
        texts = remembered(tmp_path, limit=20_000)  # many processes, each of which adds little
        for part in range(4):
            texts.keep(f"{number}/{part}", "tag", b"x" * 1000)
            path = texts._path(f"{number}/{part}")
            if path.exists():
                os.utime(path, (number, number))
    left = [path for path in (tmp_path / "read").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in left) < 30_000
    assert texts.get("49/3", "tag") is not None
    assert texts.get("0/0", "tag") is None


def test_where_nothing_can_be_kept_nothing_fails(tmp_path):
    (tmp_path / "read").write_text("a file in the way")
    texts = remembered(tmp_path)
    texts.keep("a", "tag", b"1")
    assert texts.get("a", "tag") is None


def test_many_threads_may_keep_and_read_at_once(tmp_path):
    texts = remembered(tmp_path, limit=3000)
    wrong = []

    def work(number):
        for step in range(50):
            texts.keep(f"{step % 7}", "tag", b"%d" % (step % 7) * 100)
            found = texts.get(f"{step % 7}", "tag")
            if found not in (None, b"%d" % (step % 7) * 100):
                wrong.append((number, found))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
