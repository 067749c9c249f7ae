"""What is particular to a store that is a folder: its place, renames, scratch, disks that refuse."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from orchestrator.errors import InputError, StoreError
from orchestrator.storage import StoreConfig, open_store
from orchestrator.storage.scratch import Scratch

A = "1234567890abcdef"
NOBODY = 65534


def publish(store, address=A, files=None):
    with store.publish(address) as draft:
        for name, content in (files or {}).items():
            (draft.folder / name).write_bytes(content)
        draft.manifest = {"stage": "train"}


@pytest.fixture
def public_folder():
    """A folder that any user may enter; pytest's own is private."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def unprivileged():
    """Runs the test as a user who is not allowed everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)


def test_opening_a_store_makes_nothing(tmp_path):
    store = open_store(tmp_path / "deep/store")
    assert store.done() == set()
    assert store.manifest(A) is None
    assert store.latest_checkpoint(A) is None
    assert list(tmp_path.iterdir()) == []


def test_a_relative_store_is_below_the_current_directory_and_stays_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store("results")
    monkeypatch.chdir("/")
    publish(store)
    assert store.config == StoreConfig(str(tmp_path / "results"))
    assert (tmp_path / f"results/outputs/{A}/manifest.json").is_file()


def test_a_store_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_store("~/results").uri == str(tmp_path / "results")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "must be named"),
        ("  ", "must be named"),
        ("gs://bucket/x", "unknown scheme 'gs'; use a folder or s3://bucket/prefix"),
        ("http://host/x", "unknown scheme 'http'"),
        ("a\0b", "cannot be used as a folder"),
        ("x" * 5000, "cannot be used as a folder"),
        ("/proc/version/store", "/proc/version is a file, not a folder"),
        ("~no-such-user-here/x", "cannot be used as a folder"),
    ],
)
def test_a_wrong_uri_is_an_input_error(uri, message):
    with pytest.raises(InputError, match=message):
        open_store(uri)


def test_a_file_in_the_way_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file/store"):
        with pytest.raises(InputError, match=r"file is a file, not a folder; name another place"):
            open_store(place)


def test_a_link_to_nowhere_is_an_input_error(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match="not a folder"):
        open_store(tmp_path / "link")


def test_a_place_without_permission_is_an_input_error(public_folder, unprivileged):
    with pytest.raises(InputError, match=f"no permission to write to {public_folder}; ask for it"):
        open_store(public_folder / "store")


def test_a_store_that_may_only_be_read_can_be_read(public_folder, request):
    publish(open_store(public_folder), files={"file": b"1"})
    request.getfixturevalue("unprivileged")
    with pytest.raises(InputError, match="no permission to write"):
        open_store(public_folder)
    store = open_store(public_folder, write=False)
    assert store.done() == {A}
    assert (store.fetch(A) / "file").read_bytes() == b"1"
    assert abs(store.now() - time.time()) < 5
    with pytest.raises(StoreError, match="cannot write: Permission denied; ask who may write there"):
        store.put_bytes("runs/x", b"1")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_what_to_do(tmp_path, monkeypatch, code):
    def full(*given):
        raise OSError(code, os.strerror(code))

    store = open_store(tmp_path)
    publish(store, "ffffffffffffffff", {"file": b"1"})
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match="make room there and run the same command again"):
        store.put_bytes("drivers/x", b"1")
    monkeypatch.undo()
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StoreError, match=f"{A}.*make room"):
        publish(store, files={"file": b"1"})
    monkeypatch.undo()
    assert store.done() == {"ffffffffffffffff"}
    assert not any(path.is_file() for path in (tmp_path / "payload" / A).rglob("*"))


def test_what_a_link_leads_to_is_not_listed_and_so_never_deleted(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    store = open_store(tmp_path / "store")
    store.put_bytes("drivers/one.json", b"1")
    (tmp_path / "store/quarantine").symlink_to(outside)
    (tmp_path / "store/drivers/link.json").symlink_to(outside / "precious")
    assert store.list_keys("") == ["drivers/one.json"]
    with pytest.raises(StoreError, match="store/quarantine: a link leads out of the store"):
        store.list_keys("quarantine/")


def test_publishing_a_payload_is_a_rename(tmp_path):
    store = open_store(tmp_path)
    with store.publish(A) as draft:
        (draft.folder / "file").write_bytes(b"1")
        inode = (draft.folder / "file").stat().st_ino
        draft.manifest = {"stage": "train"}
    assert (store.fetch(A) / "file").stat().st_ino == inode


def test_a_folder_of_another_file_system_is_copied(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    rename, refused = Path.replace, []

    def elsewhere(source, target):
        if not refused and "checkpoints" in str(target):
            refused.append(target)
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", elsewhere)
    folder = tmp_path / "elsewhere"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/state").write_bytes(b"1")
    store.save_checkpoint(A, 1, folder)
    assert refused
    step, found = store.latest_checkpoint(A)
    assert (step, (found / "deep/state").read_bytes()) == (1, b"1")
    assert not folder.exists()


def test_nothing_is_left_in_the_scratch_folder(tmp_path):
    store = open_store(tmp_path)
    for number in range(20):
        publish(store, f"{number:016x}", {"file": b"1"} if number % 2 else {})
    with pytest.raises(ZeroDivisionError), store.publish(A) as draft:
        (draft.scratch / "file").write_bytes(b"1")
        raise ZeroDivisionError
    left = [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["lock"]


def test_a_name_in_scratch_never_comes_back(tmp_path):
    scratch = Scratch(tmp_path / "scratch")
    seen = set()
    for _ in range(20):
        folder = scratch.new()
        seen.add(folder)
        scratch.free(folder)
        assert not any(folder.iterdir()) if folder.exists() else True
    assert len(seen) == 20


def test_the_scratch_folder_goes_with_its_owner(tmp_path):
    scratch = Scratch(tmp_path / "scratch")
    (scratch.new() / "file").write_bytes(b"1")
    del scratch
    assert list((tmp_path / "scratch").iterdir()) == []


def test_scratch_that_somebody_removed_is_made_again(tmp_path):
    store = open_store(tmp_path)
    publish(store)
    shutil.rmtree(tmp_path / "scratch")
    publish(store, "ffffffffffffffff", {"file": b"1"})
    assert store.done() == {A, "ffffffffffffffff"}


HOLD = """
import sys, time
from pathlib import Path
from orchestrator.storage.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
(scratch.new() / "half").write_bytes(b"1" * 1000)
print(scratch.mine(), flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_uses_is_not(tmp_path):
    root = tmp_path / "scratch"
    command = [sys.executable, "-c", HOLD, str(root)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        folders = [Path(process.stdout.readline().strip()) for process in processes]
        for folder in folders:  # as if they had started an hour ago
            os.utime(folder / "lock", (time.time() - 3600,) * 2)
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        scratch = Scratch(root)
        scratch.new()
        assert sorted(root.iterdir()) == sorted([folders[1], scratch.mine()])
        assert len(list(folders[1].rglob("half"))) == 1
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()


def test_a_folder_that_has_just_been_made_is_not_swept(tmp_path):
    young = tmp_path / "scratch/1-abcd"
    young.mkdir(parents=True)
    (young / "lock").touch()
    Scratch(tmp_path / "scratch").new()
    assert young.exists()


FORK = """
import os, sys
from pathlib import Path
from orchestrator.storage.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
mine = scratch.mine()
child = os.fork()
if child == 0:
    same = scratch.mine() == mine
    del scratch
    os._exit(same)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert status == 0, "the child used the folder of its parent"
assert scratch.mine() == mine and mine.is_dir(), "the child removed the folder of its parent"
"""


def test_a_forked_child_has_its_own_scratch_folder(tmp_path):
    subprocess.run([sys.executable, "-c", FORK, str(tmp_path / "scratch")], timeout=60, check=True)
    assert list((tmp_path / "scratch").iterdir()) == []
