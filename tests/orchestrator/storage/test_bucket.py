"""What every bucket promises; knows only the protocol."""

from __future__ import annotations

import pickle
import threading

import pytest


def keys(bucket, prefix):
    return sorted(entry.key for entry in bucket.list(prefix))


def folder_of(bucket, files):
    folder = bucket.scratch.new()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_an_object_reads_back_as_it_was_written(bucket):
    bucket.put("drivers/a.json", b"\x00\xffbytes")
    assert bucket.get("drivers/a.json") == b"\x00\xffbytes"


def test_writing_again_replaces_the_whole_object(bucket):
    bucket.put("drivers/a.json", b"a long first text")
    bucket.put("drivers/a.json", b"short")
    assert bucket.get("drivers/a.json") == b"short"


def test_an_object_may_be_empty(bucket):
    bucket.put("runs/x/empty", b"")
    assert bucket.get("runs/x/empty") == b""
    assert [entry.size for entry in bucket.list("runs/x/")] == [0]


@pytest.mark.parametrize("key", ["absent", "runs/absent", "runs/x", "runs/x/y/z"])
def test_reading_what_is_not_there_is_a_key_error(bucket, key):
    bucket.put("runs/x/y", b"1")
    with pytest.raises(KeyError, match=key):
        bucket.get(key)


def test_an_object_is_fetched_and_hashed_as_it_is_now(bucket, tmp_path):
    bucket.upload(folder_of(bucket, {"file": b"old"}), "payload/aa/1/")
    bucket.download("payload/aa/1/", ["file"])
    bucket.delete(["payload/aa/1/file"])
    bucket.put("payload/aa/1/file", b"abc")
    bucket.fetch("payload/aa/1/file", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"abc"
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert bucket.sha256("payload/aa/1/file") == sha256
    for absent in ("payload/aa/1/absent", "payload/aa/1/file/below", "payload/aa"):
        with pytest.raises(KeyError, match=absent):
            bucket.sha256(absent)
        with pytest.raises(KeyError, match=absent):
            bucket.fetch(absent, tmp_path / "absent")


def test_a_tag_changes_with_the_object_and_a_reader_with_the_new_one_reads_the_new_object(bucket):
    tags = []
    for content in (b"first", b"other", b"longer than both"):
        bucket.put("outputs/aa/m", content)
        ((_, tag),) = bucket.holders("outputs/", "m").items()
        assert bucket.get("outputs/aa/m", tag) == bucket.get("outputs/aa/m", tag) == content
        assert [entry.tag for entry in bucket.list("outputs/")] == [tag]
        tags.append(tag)
    assert len(set(tags)) == len(tags) or set(tags) == {""}


def test_a_new_bucket_lists_nothing(bucket):
    assert keys(bucket, "") == keys(bucket, "outputs/") == []
    assert bucket.holders("outputs/", "manifest.json") == {}


def test_listing_takes_a_prefix_of_the_key_not_only_a_folder(bucket):
    for key in ("outputs/aa/m", "outputs/ab/m", "outputs/b", "outputs2/aa/m", "top"):
        bucket.put(key, b"1")
    assert keys(bucket, "outputs/a") == ["outputs/aa/m", "outputs/ab/m"]
    assert keys(bucket, "outputs/") == ["outputs/aa/m", "outputs/ab/m", "outputs/b"]
    assert keys(bucket, "outputs/aa/m") == ["outputs/aa/m"]
    assert keys(bucket, "") == ["outputs/aa/m", "outputs/ab/m", "outputs/b", "outputs2/aa/m", "top"]


def test_a_listing_tells_sizes_and_times_by_the_same_clock_as_now(bucket):
    before = bucket.now()
    bucket.put("drivers/a.json", b"12345")
    after = bucket.now()
    (entry,) = bucket.list("drivers/")
    assert entry.size == 5
    assert before - 1 <= entry.modified <= after + 1


@pytest.mark.parametrize("count", [39, 40, 41])
def test_a_listing_of_several_pages_is_whole(bucket, monkeypatch, count):
    monkeypatch.setattr(type(bucket), "page", 20)
    bucket.upload(folder_of(bucket, {f"{number:04d}": b"1" for number in range(count)}), "runs/x/")
    assert keys(bucket, "runs/x/") == [f"runs/x/{number:04d}" for number in range(count)]
    assert sorted(entry.key for entry in bucket.entries("runs/x/")) == keys(bucket, "runs/x/")


def test_holders_are_the_folders_with_a_full_object_of_that_name(bucket):
    bucket.put("outputs/0a/manifest.json", b"{}")
    bucket.put("outputs/f1/manifest.json", b"{}")
    bucket.put("outputs/0b/manifest.json", b"")
    bucket.put("outputs/0c/other.json", b"{}")
    bucket.put("outputs/0d/deep/manifest.json", b"{}")
    bucket.put("outputs/0e", b"{}")
    bucket.put("payload/11/manifest.json", b"{}")
    assert set(bucket.holders("outputs/", "manifest.json")) == {"0a", "f1"}


def test_deleting_takes_only_what_was_named_and_does_not_mind_absence(bucket):
    bucket.put("runs/x/1", b"1")
    bucket.put("runs/x/2", b"2")
    bucket.delete(["runs/x/1", "runs/x/absent", "nowhere/at/all"])
    assert keys(bucket, "") == ["runs/x/2"]
    bucket.delete([])


def test_removing_a_prefix_takes_everything_below_it_and_nothing_beside_it(bucket):
    for key in ("payload/aa/1/x", "payload/aa/1/deep/y", "payload/aa/2/x", "payload/aab/1/x"):
        bucket.put(key, b"1")
    bucket.remove("payload/aa/")
    assert keys(bucket, "") == ["payload/aab/1/x"]
    bucket.remove("payload/aa/")


FILES = {
    "weights.bin": bytes(range(256)) * 20_480,  # 5 MiB
    "empty": b"",
    "deep/er/file.txt": b"nested",
    "Übung 測試.json": b"{}",
    "a+b&c=d %41.txt": b"quoted",
}


def test_an_uploaded_folder_downloads_as_it_was(bucket):
    bucket.upload(folder_of(bucket, FILES), "payload/aa/1/")
    folder = bucket.download("payload/aa/1/", list(FILES))
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert keys(bucket, "payload/") == sorted(f"payload/aa/1/{name}" for name in FILES)


def test_a_download_leaves_out_what_is_not_there(bucket):
    bucket.upload(folder_of(bucket, {"there": b"1"}), "payload/aa/1/")
    folder = bucket.download("payload/aa/1/", ["there", "absent", "deep/absent"])
    assert (folder / "there").read_bytes() == b"1"
    assert not (folder / "absent").exists()
    assert not (folder / "deep/absent").exists()
    assert not (bucket.download("payload/bb/1/", ["absent"]) / "absent").exists()


def test_a_fresh_download_sees_what_was_changed(bucket):
    bucket.upload(folder_of(bucket, {"file": b"old"}), "payload/aa/1/")
    bucket.download("payload/aa/1/", ["file"])
    bucket.put("payload/aa/1/file", b"new")
    assert (bucket.download("payload/aa/1/", ["file"], fresh=True) / "file").read_bytes() == b"new"


def test_a_pickled_bucket_opens_the_same_place(bucket):
    bucket.put("drivers/a.json", b"1")
    assert pickle.loads(pickle.dumps(bucket)).get("drivers/a.json") == b"1"


def test_a_reader_never_sees_half_of_an_object(bucket):
    versions = [bytes([number]) * 100_000 for number in range(20)]
    bucket.put("drivers/a.json", versions[0])
    seen, ended = set(), threading.Event()

    def read():
        while not ended.is_set():
            seen.add(bucket.get("drivers/a.json"))

    reader = threading.Thread(target=read)
    reader.start()
    for version in versions:
        bucket.put("drivers/a.json", version)
    ended.set()
    reader.join()
    assert seen <= set(versions)
