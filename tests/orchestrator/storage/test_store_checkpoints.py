"""Checkpoints are complete or absent, and the last two are kept, on every bucket."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from orchestrator.errors import StoreError

A, B = "1234567890abcdef", "ffffffffffffffff"


@pytest.fixture
def save(store):
    def save(step, files, address=A):
        folder = store.bucket.scratch.new()
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        store.save_checkpoint(address, step, folder)

    return save


def markers(store):
    return [key for key in store.list_keys(f"checkpoints/{A}/") if key.endswith(".json")]


def read(found):
    step, folder = found
    return step, {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_without_a_checkpoint_there_is_none(store):
    assert store.latest_checkpoint(A) is None


def test_the_newest_checkpoint_is_found_from_another_process(store, save):
    save(3, {"state": b"three"})
    save(12, {"state": b"twelve", "masks/layer": b"m"})
    other = pickle.loads(pickle.dumps(store))
    assert read(other.latest_checkpoint(A)) == (12, {"state": b"twelve", "layer": b"m"})
    assert other.latest_checkpoint(B) is None


def test_steps_are_compared_as_numbers(store, save):
    save(999_999_999, {"state": b"small"})
    save(1_000_000_000, {"state": b"large"})
    assert store.latest_checkpoint(A)[0] == 1_000_000_000


def test_the_last_two_are_kept(store, save):
    for step in range(1, 6):
        save(step, {"state": b"%d" % step})
    assert [key.rpartition("/")[2].split("-")[0] for key in markers(store)] == ["000000004", "000000005"]
    assert len(store.list_keys(f"checkpoints/{A}/")) == 4


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(store, save, damage):
    save(1, {"state": b"one"})
    save(2, {"state": b"two"})
    (key,) = [key for key in store.list_keys(f"checkpoints/{A}/000000002-") if key.endswith("/state")]
    store.delete_keys([key])
    if damage != "delete":
        store.bucket.put(key, {"flip": b"twO", "truncate": b"tw"}[damage])
    assert read(pickle.loads(pickle.dumps(store)).latest_checkpoint(A)) == (1, {"state": b"one"})


def test_a_checkpoint_that_vanishes_while_it_is_read_falls_back_to_the_one_before(store, save, monkeypatch):
    """As when another driver saves its next one, or publishes."""
    save(1, {"state": b"one"})
    save(2, {"state": b"two"})
    from orchestrator.storage.files import sha256_of

    def vanishing(path, size):
        if "000000002-" in path:
            Path(path).parent.chmod(0o755)
            Path(path).unlink(missing_ok=True)
        return sha256_of(path, size)

    monkeypatch.setattr("orchestrator.storage.files.sha256_of", vanishing)
    assert read(store.latest_checkpoint(A)) == (1, {"state": b"one"})


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"../../x": {"size": 1, "sha256": ""}}', b'{"a": 1}'])
def test_a_damaged_marker_falls_back_to_the_one_before(store, save, text):
    save(1, {"state": b"one"})
    save(2, {"state": b"two"})
    store.bucket.put(markers(store)[-1], text)
    assert store.latest_checkpoint(A)[0] == 1


def test_files_without_a_marker_are_no_checkpoint(store, save):
    save(1, {"state": b"one"})
    store.bucket.put(f"checkpoints/{A}/000000009-ab12/state", b"half")
    assert store.latest_checkpoint(A)[0] == 1
    store.clear_checkpoints(A)
    assert store.list_keys("checkpoints/") == []


def test_saving_the_same_step_again_is_fine(store, save):
    save(1, {"state": b"one"})
    save(1, {"state": b"one"})
    assert read(store.latest_checkpoint(A)) == (1, {"state": b"one"})


def test_checkpoints_of_one_stage_are_cleared_and_others_stay(store, save):
    save(1, {"state": b"one"})
    save(1, {"state": b"other"}, address=B)
    store.clear_checkpoints(A)
    store.clear_checkpoints(A)
    assert store.latest_checkpoint(A) is None
    assert store.latest_checkpoint(B)[0] == 1
    assert store.done() == set()


def test_a_link_in_a_checkpoint_is_refused(store, tmp_path):
    folder = store.bucket.scratch.new()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="plain files and folders only"):
        store.save_checkpoint(A, 1, folder)
    assert store.latest_checkpoint(A) is None
