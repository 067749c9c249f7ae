"""The journal: what was appended is read back, writes are bounded, nothing secret appears."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time

import pytest

from orchestrator.errors import InputError, StoreError
from orchestrator.journal import Journal, new_run_id, read_journal, runs, secrets_in
from orchestrator.storage import open_store

RUN = "20261120T103000-ab12cd"
TOP = f"runs/quick/{RUN}/"


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def kinds(store, run_id=None):
    return [event["kind"] for event in read_journal(store, "quick", run_id)]


def eventually(question, seconds=10):
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_events_are_read_back_in_order_with_their_time(store):
    before = time.time()
    with Journal(store, "quick", RUN) as journal:
        journal.append("started", address="ab", attempt=1, label="größe=1")
        journal.append("finished", address="ab", seconds=0.5)
    started, finished = read_journal(store, "quick")
    assert started | {"at": 0} == {
        "kind": "started",
        "at": 0,
        "address": "ab",
        "attempt": 1,
        "label": "größe=1",
    }
    assert finished["seconds"] == 0.5
    assert before - 0.01 <= started["at"] <= finished["at"] <= time.time() + 0.01


def test_a_sweep_that_never_ran_has_no_runs_and_no_events(store):
    assert runs(store, "quick") == []
    assert read_journal(store, "quick") == []


def test_the_latest_run_is_read_unless_another_is_named(store):
    older, newer = "20251120T103000-ffffff", "20261120T103000-000000"
    for run_id in (newer, older):
        with Journal(store, "quick", run_id) as journal:
            journal.append("note", text=run_id)
    assert runs(store, "quick") == [older, newer]
    assert read_journal(store, "quick")[0]["text"] == newer
    assert read_journal(store, "quick", older)[0]["text"] == older
    assert runs(store, "quic") == []


def test_a_run_that_does_not_exist_is_named_with_those_that_do(store):
    with Journal(store, "quick", RUN) as journal:
        journal.append("note")
    with pytest.raises(InputError, match=f"unknown run 'x'.*Known: {RUN}"):
        read_journal(store, "quick", "x")


def test_run_ids_sort_by_time_and_differ():
    assert new_run_id(0).startswith("19700101T000000-")
    assert new_run_id(1_000_000) < new_run_id(1_000_001) < new_run_id(2_000_000_000)
    assert len({new_run_id(0) for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("name", "run_id"), [("../x", RUN), ("", RUN), ("Quick", RUN), ("quick", "../x"), ("quick", "")]
)
def test_names_that_could_leave_the_folder_are_refused(store, name, run_id):
    with pytest.raises(InputError):
        Journal(store, name, run_id)


def test_events_can_be_read_while_the_run_goes_on(store):
    with Journal(store, "quick", RUN, every_seconds=0.05) as journal:
        journal.append("opened")
        eventually(lambda: kinds(store) == ["opened"])
        journal.append("started")
        eventually(lambda: kinds(store) == ["opened", "started"])
    assert kinds(store) == ["opened", "started"]


@pytest.fixture
def writes(store, monkeypatch):
    """The keys and times of what is written."""
    made, put = [], type(store).put_bytes

    def noted(self, key, data):
        made.append((key, time.monotonic(), len(data)))
        put(self, key, data)

    monkeypatch.setattr(type(store), "put_bytes", noted)
    return made


def test_writes_are_bounded_and_silence_writes_nothing(store, writes):
    with Journal(store, "quick", RUN, every_seconds=0.2) as journal:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            journal.append("progress")
            time.sleep(0.001)
        eventually(lambda: len(kinds(store)) > 100)
        time.sleep(0.3)
        written = len(writes)
        time.sleep(0.5)
        assert len(writes) == written
    times = [moment for _, moment, _ in writes][:-1]  # the last may be that of closing
    assert 3 <= len(writes) <= 8
    assert min(after - before for before, after in itertools.pairwise(times)) > 0.15


def test_a_segment_is_sealed_at_its_size_and_never_written_again(store, writes):
    with Journal(store, "quick", RUN, every_seconds=60) as journal:
        for number in range(3000):
            journal.append("note", number=number, text="x" * 200)
            if number % 500 == 499:
                journal.flush()
    sizes = {}
    for key, _, size in writes:
        assert key == max([*sizes, key]), "an older segment was written again"
        sizes[key] = size
    assert list(sizes) == [f"{TOP}journal-0000{number}.jsonl" for number in range(4)]
    assert all(256 * 1024 <= size < 256 * 1024 + 300 for size in list(sizes.values())[:-1])
    assert [event["number"] for event in read_journal(store, "quick")] == list(range(3000))


def test_what_is_written_already_is_not_written_again_on_close(store, writes):
    with Journal(store, "quick", RUN, every_seconds=60) as journal:
        journal.append("note")
        eventually(lambda: kinds(store) == ["note"])
    assert len(writes) == 1


def test_many_threads_append_and_nothing_is_lost(store):
    with Journal(store, "quick", RUN, every_seconds=0.01) as journal:
        threads = [
            threading.Thread(
                target=lambda who=who: [journal.append("note", who=who, n=n) for n in range(200)]
            )
            for who in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = read_journal(store, "quick")
    for who in range(4):
        assert [event["n"] for event in events if event["who"] == who] == list(range(200))


def test_a_torn_last_line_is_left_out(store):
    whole = b'{"kind": "opened", "at": 1}\n'
    others = (
        b'{"kind": 1, "at": 1}\n',
        b'{"kind": "note"}\n',
        b'{"kind": "note", "at": "1"}\n',
        b"[" * 100_000,
    )
    for torn in (b'{"kind": "star', b"\xc3", b"[1]\n", b"{}\n", *others):
        store.put_bytes(f"{TOP}journal-00000.jsonl", whole + torn)
        assert kinds(store) == ["opened"]
    store.put_bytes(f"{TOP}journal-00000.jsonl", whole + b"torn\n" + whole)
    assert kinds(store) == ["opened", "opened"]


def test_a_store_that_is_away_for_a_while_loses_no_event(store, monkeypatch):
    put, away = type(store).put_bytes, [True]

    def sometimes(self, key, data):
        if away[0]:
            raise StoreError("the line is dead")
        put(self, key, data)

    monkeypatch.setattr(type(store), "put_bytes", sometimes)
    with Journal(store, "quick", RUN, every_seconds=0.02) as journal:
        journal.append("opened")
        time.sleep(0.1)
        journal.append("started")
        assert kinds(store) == []
        away[0] = False
        eventually(lambda: kinds(store) == ["opened", "started"])


def test_closing_says_when_the_last_events_could_not_be_written(store, monkeypatch):
    def dead(*given):
        raise StoreError("the line is dead")

    monkeypatch.setattr(type(store), "put_bytes", dead)
    journal = Journal(store, "quick", RUN)
    journal.append("opened")
    with pytest.raises(StoreError, match="the line is dead"):
        journal.close()


def test_nothing_can_be_appended_to_a_closed_journal(store):
    with Journal(store, "quick", RUN) as journal:
        pass
    with pytest.raises(ValueError, match=f"the journal of {RUN} is closed"):
        journal.append("note")
    assert store.list_keys("runs/") == []


def test_numbers_that_are_none_and_foreign_values_do_not_stop_a_run(store, tmp_path):
    with Journal(store, "quick", RUN) as journal:
        journal.append("progress", metrics={"loss": float("nan"), "all": [float("inf"), 1.5]}, where=tmp_path)
    (event,) = read_journal(store, "quick")
    assert event["metrics"] == {"loss": None, "all": [None, 1.5]}
    assert event["where"] == str(tmp_path)
    assert b"NaN" not in store.get_bytes(f"{TOP}journal-00000.jsonl")


def test_no_secret_appears_in_what_is_written(store, tmp_path):
    secret, quoted = "abcd/efgh+ijkl", 'with"quote\\and more'
    sweep = tmp_path / "x.yaml"
    sweep.write_text(f"store: https://user:{secret}@host/x\n")
    with Journal(store, "quick", RUN, sweep_file=sweep, secrets=[secret, quoted, "short"]) as journal:
        journal.append("opened", argv=["run", f"--key={secret}", "s3://me:hunter2@host/b"], note="short")
        journal.append("failed", traceback=f"KeyError: {quoted!s}", reason=secret)
    written = b"".join(store.get_many(store.list_keys("runs/"))).decode()
    assert secret not in written
    assert json.dumps(quoted)[1:-1] not in written
    assert "hunter2" not in written
    assert "short" in written
    opened, failed = read_journal(store, "quick")
    assert opened["argv"] == ["run", "--key=***", "s3://***@host/b"]
    assert failed["reason"] == "***"


def test_secrets_are_the_variables_that_say_so(store, monkeypatch):
    environment = {
        "AWS_SECRET_ACCESS_KEY": "s3cr3ts3cr3t",
        "AWS_SESSION_TOKEN": "t0k3nt0k3n",
        "HOME": "/home/me",
        "db_password": "pppppppp",
    }
    assert sorted(secrets_in(environment)) == ["pppppppp", "s3cr3ts3cr3t", "t0k3nt0k3n"]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3ts3cr3t")
    with Journal(store, "quick", RUN) as journal:
        journal.append("note", text="the key is s3cr3ts3cr3t")
    assert read_journal(store, "quick")[0]["text"] == "the key is ***"


def test_the_sweep_file_is_copied_beside_the_events(store, tmp_path):
    sweep = tmp_path / "x.yaml"
    sweep.write_text("name: quick\n")
    with Journal(store, "quick", RUN, sweep_file=sweep):
        assert store.get_bytes(f"{TOP}sweep.yaml") == b"name: quick\n"


def test_a_thousand_appends_cost_a_few_milliseconds(store):
    with Journal(store, "quick", RUN) as journal:
        took = []
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(1000):
                journal.append(
                    "started", address="1234567890abcdef", node="magnitude.pruned", attempt=1, worker="w1"
                )
            took.append(time.perf_counter() - start)
    assert min(took) < 0.020


LEAVE = """
import sys
from orchestrator.journal import Journal
from orchestrator.storage import open_store
journal = Journal(open_store(sys.argv[1]), "quick", "20261120T103000-ab12cd", every_seconds=600)
journal.append("opened")
print("left", flush=True)
"""


def test_an_open_journal_does_not_keep_its_process_alive(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", LEAVE, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout == "left\n"
    assert ended.stderr == ""
