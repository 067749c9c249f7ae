"""What a store promises about outputs, on every bucket."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.errors import InputError, OutputDamaged, OutputMissing, StoreError

A, B, C = "00000000000000aa", "1234567890abcdef", "ffffffffffffffff"


def stored(store, prefix=""):
    return store.list_keys(prefix)


def overwrite(store, key, content):
    """Change an object behind the store's back, read-only or not."""
    store.delete_keys([key])
    store.bucket.put(key, content)


def payload(store, address, name):
    return f"payload/{address}/{store.manifest(address).attempt}/{name}"


def test_a_published_output_is_done_and_reads_back(store, publish):
    publish(A, {"model.bin": b"weights", "logs/one.txt": b"1"}, metrics={"accuracy": 0.5})
    assert store.done() == {A}
    folder = store.fetch(A)
    assert (folder / "model.bin").read_bytes() == b"weights"
    assert (folder / "logs/one.txt").read_bytes() == b"1"
    assert store.manifest(A).metrics == {"accuracy": 0.5}


def test_the_manifest_holds_what_was_set_and_what_the_store_knows(store, publish):
    manifest = publish(A, {"x": b"abc"}, node="magnitude.pruned", warnings=["chance accuracy"], dirty=True)
    assert (manifest.stage, manifest.node, manifest.dirty) == ("train", "magnitude.pruned", True)
    assert list(manifest.warnings) == ["chance accuracy"]
    assert manifest.address == A
    assert manifest.files["x"].size == 3
    assert manifest.files["x"].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    line = f"{manifest.files['x'].sha256}  x\n"
    assert manifest.digest == hashlib.sha256(line.encode()).hexdigest()


def test_a_stage_with_metrics_only_is_an_ordinary_output(store, publish):
    publish(A, metrics={"accuracy": 1.0})
    assert store.done() == {A}
    assert list(store.fetch(A).iterdir()) == []
    assert stored(store) == [f"outputs/{A}/manifest.json"]


def test_nothing_of_the_payload_can_be_changed(store, publish):
    publish(A, {"model.bin": b"weights"})
    assert (store.fetch(A) / "model.bin").stat().st_mode & 0o222 == 0


def test_large_empty_nested_and_foreign_names_survive(store, publish):
    files = {"big": os.urandom(5 << 20), "none": b"", "a/b/c/d": b"deep", "größe 大.txt": b"name"}
    publish(A, files)
    folder = pickle.loads(pickle.dumps(store)).fetch(A)
    assert {name: (folder / name).read_bytes() for name in files} == files


def test_a_block_that_raises_leaves_nothing_behind(store):
    with pytest.raises(ZeroDivisionError), store.publish(A) as draft:
        (draft.folder / "half").write_bytes(b"1")
        draft.manifest = {"stage": "train"}
        raise ZeroDivisionError
    assert stored(store) == []
    assert store.done() == set()
    assert not draft.folder.exists() or not any(draft.folder.iterdir())


def test_a_block_without_a_manifest_publishes_nothing(store):
    with store.publish(A) as draft:
        (draft.folder / "file").write_bytes(b"1")
    assert stored(store) == []


def test_nothing_is_visible_before_the_block_ends(store):
    with store.publish(A) as draft:
        (draft.folder / "file").write_bytes(b"1")
        draft.manifest = {"stage": "train"}
        assert stored(store) == []
        assert store.manifest(A) is None
        with pytest.raises(OutputMissing, match=f"no output for {A}"):
            store.fetch(A)
    assert store.done() == {A}


def test_every_draft_has_two_new_empty_folders(store):
    seen = set()
    for address in (A, B, C):
        with store.publish(address) as draft:
            assert list(draft.folder.iterdir()) == list(draft.scratch.iterdir()) == []
            (draft.scratch / "left").write_bytes(b"1")
            seen |= {draft.folder, draft.scratch}
            draft.manifest = {"stage": "train"}
    assert len(seen) == 6
    assert stored(store) == [f"outputs/{address}/manifest.json" for address in (A, B, C)]


def test_the_first_publisher_stays_and_the_second_does_not_complain(store, publish):
    with store.publish(A) as late:
        (late.folder / "file").write_bytes(b"late")
        late.manifest = {"stage": "train", "metrics": {"accuracy": 0.2}}
        first = publish(A, {"file": b"first"}, metrics={"accuracy": 0.1})
    assert store.manifest(A) == first
    assert (store.fetch(A) / "file").read_bytes() == b"first"
    assert stored(store) == [f"outputs/{A}/manifest.json", f"payload/{A}/{first.attempt}/file"]
    assert not late.committed


def test_the_first_of_two_outputs_without_files_stays(store, publish):
    first = publish(A, metrics={"accuracy": 0.1})
    assert publish(A, metrics={"accuracy": 0.2}) == first


def test_an_output_that_is_replaced_while_it_is_fetched_is_read_again(store, publish, monkeypatch):
    publish(A, {"file": b"old"})
    download = type(store.bucket).download

    def replaced(bucket, prefix, names, *, fresh=False):
        monkeypatch.undo()
        store.discard(A)
        publish(A, {"file": b"new"})
        return download(bucket, prefix, names, fresh=True)

    monkeypatch.setattr(type(store.bucket), "download", replaced)
    assert (pickle.loads(pickle.dumps(store)).fetch(A) / "file").read_bytes() == b"new"


def test_a_publisher_that_is_overtaken_during_its_upload_removes_its_payload(store, publish, monkeypatch):
    upload = type(store.bucket).upload
    winners = []

    def overtaken(bucket, folder, prefix):
        monkeypatch.undo()
        upload(bucket, folder, prefix)
        winners.append(publish(A, {"file": b"winner"}))

    monkeypatch.setattr(type(store.bucket), "upload", overtaken)
    publish(A, {"file": b"loser"})
    assert stored(store) == [f"outputs/{A}/manifest.json", f"payload/{A}/{winners[0].attempt}/file"]
    assert (store.fetch(A) / "file").read_bytes() == b"winner"


def test_two_that_pass_the_check_at_once_leave_one_whole_output(store, publish, monkeypatch):
    put = type(store.bucket).put
    others = []

    def late(bucket, key, data):
        monkeypatch.undo()
        others.append(publish(A, {"file": b"other"}))
        put(bucket, key, data)

    monkeypatch.setattr(type(store.bucket), "put", late)
    own = publish(A, {"file": b"own"})
    assert own.attempt != others[0].attempt
    assert (store.fetch(A) / "file").read_bytes() == b"own"
    publish_again = publish(A, {"file": b"third"})
    assert publish_again == own


def test_many_publishers_of_one_address_never_mix(store):
    clients = [pickle.loads(pickle.dumps(store)) for _ in range(4)]

    def run(number):
        with clients[number % 4].publish(A) as draft:
            for name in "abc":
                (draft.folder / name).write_bytes(b"%d" % number)
            draft.manifest = {"stage": "train", "metrics": {"number": float(number)}}

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, range(16)))
    folder, manifest = store.fetch(A), store.manifest(A)
    contents = {(folder / name).read_bytes() for name in "abc"}
    assert contents == {b"%d" % manifest.metrics["number"]}


def test_a_reader_during_publishing_sees_all_or_nothing(store, publish):
    addresses = [f"{number:016x}" for number in range(8)]
    reader, ended, problems, seen = pickle.loads(pickle.dumps(store)), threading.Event(), [], set()

    def read():
        while not ended.is_set() or seen != set(addresses):
            for address in reader.done() - seen:
                folder = reader.fetch(address)
                if {(folder / name).read_bytes() for name in ("a", "b/c")} != {address.encode()}:
                    problems.append(address)
                seen.add(address)

    thread = threading.Thread(target=read)
    thread.start()
    for address in addresses:
        publish(address, {"a": address.encode(), "b/c": address.encode()})
    ended.set()
    thread.join(60)
    assert seen == set(addresses)
    assert problems == []


def test_a_flipped_byte_is_found_on_fetch(store, publish):
    publish(A, {"model.bin": b"weights"})
    overwrite(store, payload(store, A, "model.bin"), b"weiGhts")
    other = pickle.loads(pickle.dumps(store))
    with pytest.raises(OutputDamaged, match=r"model\.bin has sha256 .* must be run again"):
        other.fetch(A)


def test_a_truncated_file_is_found_on_fetch_even_after_it_was_verified(store, publish):
    publish(A, {"model.bin": b"weights"})
    folder = store.fetch(A)
    (folder / "model.bin").chmod(0o644)
    overwrite(store, payload(store, A, "model.bin"), b"weig")
    (folder / "model.bin").write_bytes(b"weig")
    with pytest.raises(OutputDamaged, match=r"model\.bin has 4 bytes instead of 7"):
        store.fetch(A)


def test_one_file_missing_is_damage_and_all_missing_is_a_dropped_payload(store, publish):
    publish(A, {"one": b"1", "two": b"2"})
    other, third = pickle.loads(pickle.dumps(store)), pickle.loads(pickle.dumps(store))
    store.delete_keys([payload(store, A, "one")])
    with pytest.raises(OutputDamaged, match="one is missing"):
        other.fetch(A)
    store.drop_payload(A)
    with pytest.raises(OutputMissing, match="the files of this train were dropped"):
        third.fetch(A)
    assert store.done() == {A}


def test_contents_are_hashed_once_and_sizes_every_time(store, publish, monkeypatch):
    publish(A, {"model.bin": b"weights"})
    other, hashed = pickle.loads(pickle.dumps(store)), []
    from orchestrator.storage import files

    sha256_of = files.sha256_of
    monkeypatch.setattr(files, "sha256_of", lambda *known: hashed.append(known) or sha256_of(*known))
    for _ in range(3):
        other.fetch(A)
    store.fetch(A)  # the publisher has just hashed it
    assert len(hashed) == 1


def test_an_output_whose_payload_was_dropped_is_published_again(store, publish):
    first = publish(A, {"file": b"1"})
    store.drop_payload(A)
    second = publish(A, {"file": b"1"})
    assert second.attempt != first.attempt
    assert second.digest == first.digest
    assert (store.fetch(A) / "file").read_bytes() == b"1"


@pytest.mark.parametrize("few", [0, 64])
def test_which_payloads_were_dropped_is_known(store, publish, monkeypatch, few):
    monkeypatch.setattr("orchestrator.storage.store.FEW", few)  # above it they are listed at once
    publish(A, {"file": b"1"})
    publish(B, {"file": b"2", "other": b"3"})
    publish(C)
    assert store.dropped([A, B, C, "0" * 16]) == set()
    store.drop_payload(B)
    store.drop_payload(C)
    assert store.dropped([A, B, C, "0" * 16]) == {B}
    assert [store.is_whole(address) for address in (A, B, C, "0" * 16)] == [True, False, True, False]
    store.delete_keys([payload(store, A, "file")])
    assert store.dropped([A]) == {A}
    publish(B, {"file": b"2", "other": b"3"})
    assert store.dropped([B]) == set()


def test_discarding_forgets_the_output_and_may_be_repeated(store, publish):
    publish(A, {"file": b"1"})
    publish(B, {"file": b"2"})
    store.discard(A)
    store.discard(A)
    assert store.done() == {B}
    assert all(B in key for key in stored(store))


def test_quarantine_takes_a_damaged_output_away_and_keeps_its_manifest(store, publish):
    manifest = publish(A, {"file": b"1"})
    overwrite(store, payload(store, A, "file"), b"2")
    store.quarantine(A, "its file changed")
    assert store.done() == set()
    (key,) = stored(store, "quarantine/")
    kept = json.loads(store.get_bytes(key))
    assert (kept["address"], kept["why"]) == (A, "its file changed")
    assert json.loads(kept["manifest"])["attempt"] == manifest.attempt
    publish(A, {"file": b"1"})
    assert (store.fetch(A) / "file").read_bytes() == b"1"


def test_quarantine_leaves_an_output_that_is_whole_by_now(store, publish):
    publish(A, {"file": b"1"})
    store.quarantine(A, "seen by someone a minute ago")
    store.quarantine(B, "never there")
    assert store.done() == {A}
    assert stored(store, "quarantine/") == []


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"{}", b'{"format": 99}', b"\xff", b"null"],
    ids=["empty", "torn", "list", "object", "format", "binary", "null"],
)
def test_a_manifest_that_is_none_is_damage_not_a_crash(store, publish, text):
    publish(B)
    store.bucket.put(f"outputs/{A}/manifest.json", text)
    with pytest.raises(OutputDamaged, match=f"outputs/{A}/manifest.json"):
        store.manifest(A)
    with pytest.raises(OutputDamaged):
        store.fetch(A)
    assert set(store.manifests([A, B, C])) == {B}
    store.quarantine(A, "no manifest")
    assert store.done() == {B}


def test_publishing_replaces_a_damaged_manifest(store, publish):
    store.bucket.put(f"outputs/{A}/manifest.json", b"{")
    publish(A, {"file": b"1"})
    assert (store.fetch(A) / "file").read_bytes() == b"1"


def test_a_manifest_of_another_address_is_damage(store, publish):
    publish(A)
    store.bucket.put(f"outputs/{B}/manifest.json", store.get_bytes(f"outputs/{A}/manifest.json"))
    with pytest.raises(OutputDamaged, match=f"the manifest of {A}"):
        store.manifest(B)


def test_manifests_of_many_are_read_and_absent_ones_left_out(store, publish):
    known = {address: publish(address, node=address) for address in (A, B)}
    assert store.manifests([A, B, C]) == known
    assert store.manifests([]) == {}


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_link_in_an_output_is_refused(store, tmp_path, link):
    target = tmp_path / "outside"
    target.write_text("x") if link == "file" else target.mkdir()
    with pytest.raises(StoreError, match="plain files and folders only, 'link'"), store.publish(A) as draft:
        (draft.folder / "link").symlink_to(target)
        draft.manifest = {"stage": "train"}
    assert stored(store) == []


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "C:x", os.fsdecode(b"\xff")])
def test_a_name_that_not_every_store_keeps_is_refused(store, publish, name):
    with pytest.raises(StoreError, match="a file name must"):
        publish(A, {name: b"1"})
    assert stored(store) == []


def test_a_number_that_is_none_is_refused_in_a_manifest(store, publish):
    with pytest.raises(StoreError, match="not JSON compliant"):
        publish(A, {"file": b"1"}, metrics={"accuracy": float("nan")})
    assert stored(store) == []


@pytest.mark.parametrize("method", ["manifest", "fetch", "discard", "drop_payload", "latest_checkpoint"])
def test_what_is_no_address_is_refused(store, method):
    for address in ("", "..", "../../etc/passwd", "ABCDEF0123456789", "a" * 15, "a/b", A + "\n"):
        with pytest.raises(InputError, match="16 hexadecimal digits"):
            getattr(store, method)(address)


def test_a_key_cannot_leave_the_store(store):
    uses = (
        lambda key: store.put_bytes(key, b"1"),
        lambda key: store.get_bytes(key),
        lambda key: store.delete_keys([key]),
    )
    for use, key in itertools.product(uses, ("../x", "/x", "a/../../x", "", "a//b", "./x")):
        with pytest.raises(ValueError, match="must stay inside"):
            use(key)


def test_other_objects_can_be_kept(store):
    store.put_bytes("drivers/one.json", b"1")
    store.put_bytes("runs/x/two", b"2")
    assert store.get_bytes("drivers/one.json") == b"1"
    assert store.get_bytes("drivers/absent.json") is None
    assert store.get_many(["runs/x/two", "absent", "drivers/one.json"]) == [b"2", None, b"1"]
    assert store.list_keys("drivers/") == ["drivers/one.json"]
    store.delete_keys(["drivers/one.json"])
    assert store.list_keys("drivers/") == []
    assert store.done() == set()


def test_a_pickled_store_opens_the_same_place(store, publish):
    publish(A, {"file": b"1"})
    other = pickle.loads(pickle.dumps(store))
    assert other.uri == store.uri
    assert (other.fetch(A) / "file").read_bytes() == b"1"
