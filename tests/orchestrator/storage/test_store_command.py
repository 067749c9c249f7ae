"""`sparsweep store`, on the store that a run of the toy sweep left."""

from __future__ import annotations

import json
import re

import pytest
from toys.base import TOY, UNIQUE, write

from orchestrator.cli.store.given import amount
from orchestrator.journal import new_run_id
from orchestrator.storage import Store, open_store
from orchestrator.storage.beats import Beat, this_process

TWO_SEEDS = TOY.replace("seed: [0, 1, 2]", "seed: [0, 1]")
#: What a seed has: 5 networks and cuts, 9 judges.
GROWN, JUDGED = 5, 9


@pytest.fixture
def results(ran, here):
    return open_store(here / "results")


@pytest.fixture
def two_hours_later(monkeypatch):
    now = Store.now
    monkeypatch.setattr(Store, "now", lambda store: now(store) + 7200)


def flip_a_byte(results):
    """Damages one network; its address."""
    address = sorted(a for a in results.done() if results.manifest(a).files)[0]
    path = results.fetch(address) / "value"
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    return address


# ls


def test_ls_counts_by_stage(results, command):
    code, out, err = command("store", "ls")
    assert code == 0
    size = sum(
        results.fetch(a).joinpath("value").stat().st_size for a in results.done() if _has_files(results, a)
    )
    assert re.search(rf"^grow +15 +{size} B +0 +0$", out, re.MULTILINE)
    assert re.search(r"^judge +27 +0 B +0 +0$", out, re.MULTILINE)
    assert re.search(r"^toy +1 +\d{8}T\d{6}-[0-9a-f]{6} +\d+\.\d kB$", out, re.MULTILINE)
    assert err == f"{results.uri}: {UNIQUE} outputs, {size} B of payload.\n"


def _has_files(results, address):
    return bool(results.manifest(address).files)


def test_ls_counts_by_sweep_and_what_is_of_none(results, command, here):
    write(here, TWO_SEEDS.replace("sparsity: [0.5, 0.9]", "sparsity: [0.5, 0.9, 0.95]"))
    results.drop_payload(flip_a_byte(results))
    folder = results.bucket.scratch.new()
    (folder / "state").write_bytes(b"123")
    results.save_checkpoint("0" * 16, 1, folder)
    found = json.loads(command("store", "ls", "toy.yaml", "--json")[1])
    lines = {(line.pop("sweep"), line.pop("stage")): line for line in found["stages"]}
    assert list(lines) == [
        ("toy", "grow"),
        ("toy", "judge"),
        ("(others)", "(not done)"),
        ("(others)", "grow"),
        ("(others)", "judge"),
    ]
    planned = 2 * (GROWN + 2), 2 * (JUDGED + 3)
    assert [lines["toy", name]["planned"] for name in ("grow", "judge")] == list(planned)
    assert [lines["toy", name]["outputs"] for name in ("grow", "judge")] == [2 * GROWN, 2 * JUDGED]
    assert [lines["(others)", name]["outputs"] for name in ("grow", "judge")] == [GROWN, JUDGED]
    assert lines["toy", "grow"]["dropped"] + lines["(others)", "grow"]["dropped"] == 1
    unfinished = lines["(others)", "(not done)"]
    assert (unfinished["checkpoints"], unfinished["checkpoint_size"]) == (1, 3)
    assert (found["outputs"], len(found["runs"]), found["runs"][0]["sweep"]) == (UNIQUE, 1, "toy")
    _, out, _ = command("store", "ls", "toy.yaml")
    assert re.search(r"^toy +grow +10 of 14 ", out, re.MULTILINE)


# verify


def test_verify_of_a_whole_store_is_quiet(results, command):
    code, out, err = command("store", "verify")
    assert (code, out) == (0, "")
    assert f"{UNIQUE} outputs and 0 checkpoints checked" in err
    assert "0 damaged." in err


def test_verify_names_what_is_damaged_and_takes_it_out_if_asked(results, command):
    address = flip_a_byte(results)
    code, out, err = command("store", "verify")
    assert code == 1
    assert re.fullmatch(rf"{address}  grow  value has sha256 \w+ instead of \w+\n", out)
    assert "1 damaged." in err
    assert "The same command with --quarantine takes it out of the store; the next run makes again" in err
    assert address in results.done()
    code, out, err = command("store", "verify", "--quarantine")
    assert (code, out.split()[0]) == (1, address)
    assert "was taken out of the store" in err
    assert address not in results.done()
    assert command("store", "verify")[0] == 0
    assert "Put aside below quarantine/: 1 damaged output." in command("store", "ls")[2]
    assert command("run", "toy.yaml", "--engine", "inline")[0] == 0


def test_verify_of_a_sweep_looks_at_nothing_else(results, command, here):
    address = flip_a_byte(results)
    seed = results.manifest(address).point["seed"]
    others = [number for number in range(3) if number != seed]
    write(here, TOY.replace("seed: [0, 1, 2]", f"seed: {others}"))
    code, _, err = command("store", "verify", "toy.yaml")
    assert code == 0
    assert f"{2 * UNIQUE // 3} outputs and 0 checkpoints checked" in err


def test_a_damaged_checkpoint_is_named_and_taken_out(results, command):
    folder = results.bucket.scratch.new()
    (folder / "state").write_bytes(b"123")
    results.save_checkpoint("0" * 16, 1, folder)
    (key,) = [key for key in results.list_keys("checkpoints/") if key.endswith("/state")]
    results.delete_keys([key])
    results.bucket.put(key, b"12")
    code, out, _ = command("store", "verify", "--quarantine")
    assert (code, out) == (1, f"{'0' * 16}  checkpoint  state has 2 bytes instead of 3\n")
    assert results.list_keys("checkpoints/") == []


# gc


def test_gc_shows_and_then_removes_what_the_files_do_not_refer_to(results, command, here, two_hours_later):
    write(here, TWO_SEEDS)
    before = results.list_keys("")
    code, out, err = command("store", "gc", "toy.yaml")
    assert code == 0
    assert len(out.splitlines()) == GROWN + JUDGED
    assert all(
        re.fullmatch(r"output +[0-9a-f]{16} +\d+\.\d kB  (grow|judge)", line) for line in out.splitlines()
    )
    assert f"{GROWN + JUDGED} outputs," in err
    assert ": no given sweep refers to it" in err
    assert "Nothing was removed: the same command with --yes removes it." in err
    assert results.list_keys("") == before
    code, again, err = command("store", "gc", "toy.yaml", "--yes")
    assert (code, again) == (0, out)
    assert "Removed " in err
    assert len(results.done()) == UNIQUE - GROWN - JUDGED
    assert command("run", "toy.yaml", "--engine", "inline")[2].count("Nothing to run") == 1
    assert command("store", "gc", "toy.yaml")[1:] == ("", "Nothing to remove.\n")


def test_gc_keeps_what_any_of_the_files_refers_to(results, command, here, two_hours_later):
    write(here, TWO_SEEDS).rename(here / "two.yaml")
    write(here, TOY.replace("seed: [0, 1, 2]", "seed: [2]").replace("name: toy", "name: other"))
    assert command("store", "gc", "toy.yaml", "two.yaml", "--yes")[1] == ""
    assert len(results.done()) == UNIQUE


def test_gc_can_keep_the_numbers(results, command, here, two_hours_later):
    write(here, TWO_SEEDS)
    code, out, _ = command("store", "gc", "toy.yaml", "--payload", "--yes")
    assert (code, len(out.splitlines())) == (0, GROWN)
    assert len(results.done()) == UNIQUE
    write(here, TOY)
    assert "(n=3)" in command("report", "toy.yaml")[1]
    _, _, err = command("store", "verify")
    assert f"{GROWN} outputs without files: they were dropped, and are made again when needed." in err


def test_gc_leaves_what_is_younger_than_an_hour(results, command, here):
    write(here, TWO_SEEDS)
    code, out, err = command("store", "gc", "toy.yaml", "--yes")
    assert (code, out) == (0, "")
    assert f"{GROWN + JUDGED} more things younger than an hour: a driver may be at work there." in err
    assert len(results.done()) == UNIQUE


def test_gc_removes_orphans_without_any_sweep(results, command, two_hours_later):
    results.bucket.put("payload/" + "0" * 16 + "/abcd/half", b"123")
    code, out, _ = command("store", "gc", "--orphans", "--yes")
    assert (code, out) == (0, f"attempt     {'0' * 16}        3 B  abcd\n")
    assert results.list_keys("payload/" + "0" * 16) == []
    assert len(results.done()) == UNIQUE


def test_gc_removes_what_is_stale_if_asked(results, command, two_hours_later):
    base = next(a for a in results.done() if not results.manifest(a).inputs)
    kept = results.manifest(base)
    results.discard(base)
    with results.publish(base) as draft:
        (draft.folder / "value").write_text("0.1")
        draft.manifest = {key: getattr(kept, key) for key in ("stage", "text", "metrics")}
    assert command("store", "gc", "toy.yaml")[1] == ""
    assert len(command("store", "gc", "toy.yaml", "--stale", "--yes")[1].splitlines()) == 3 + 2 * 5
    assert command("run", "toy.yaml", "--engine", "inline")[0] == 0
    found = json.loads(command("status", "toy.yaml", "--json")[1])
    assert (found["done"], found["stale"]) == (UNIQUE, 0)


def test_gc_takes_no_outputs_while_a_driver_is_at_work(results, command, here):
    beat = Beat(new_run_id(), "another", this_process(), every_seconds=60.0)
    results.put_bytes(beat.key, beat.to_json())
    write(here, TWO_SEEDS)
    code, _, err = command("store", "gc", "toy.yaml", "--yes")
    assert code == 2
    assert f"being worked on by another (run {beat.run}), which may need outputs" in err
    code, _, err = command("store", "gc", "toy.yaml")
    assert code == 0
    assert "being worked on by another" in err
    assert command("store", "gc", "--orphans", "--yes")[0] == 0


# copy


def test_copy_brings_over_what_is_missing_and_a_run_there_has_nothing_to_do(results, command, here):
    code, out, err = command("store", "copy", "results", "there")
    assert (code, out) == (0, "")
    assert f"Copied {UNIQUE} outputs, 0 checkpoints and 2 objects of runs to {here}/there: " in err
    assert "Nothing to run" in command("run", "toy.yaml", "--store", "there")[2]
    assert command("status", "toy.yaml", "--store", "there")[1].startswith("toy: the last run is over")
    assert "Copied 0 outputs, 0 checkpoints and 0 objects" in command("store", "copy", "results", "there")[2]


def test_copy_of_a_sweep_copies_nothing_else(results, command, here):
    write(here, TWO_SEEDS.replace("name: toy", "name: other"))
    results.put_bytes(f"runs/other/{new_run_id()}/journal-00000.jsonl", b"{}\n")
    _, _, err = command("store", "copy", "results", "there", "--sweep", "toy.yaml")
    assert f"Copied {2 * UNIQUE // 3} outputs, 0 checkpoints and 1 object of runs" in err


def test_copy_names_what_it_could_not_copy(results, command, here):
    address = flip_a_byte(results)
    code, out, err = command("store", "copy", "results", "there")
    assert code == 1
    assert out.startswith(f"{address}  value has sha256 ")
    assert (
        f"`sparsweep store verify --quarantine --store {here}/results` takes damaged ones out of it." in err
    )
    assert len(open_store(here / "there").done()) == UNIQUE - 1


@pytest.mark.s3
@pytest.mark.usefixtures("credentials")
def test_a_sweep_moves_to_a_service_and_back(results, command, here, rclone, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", rclone)
    monkeypatch.setattr("tempfile.tempdir", str(here))
    place = f"s3://sweeps/{here.name}"
    assert command("store", "copy", "results", place)[0] == 0
    assert "Nothing to run" in command("run", "toy.yaml", "--store", place)[2]
    assert command("store", "verify", "--store", place)[0] == 0
    listed = json.loads(command("store", "ls", "--store", place, "--json")[1])
    assert listed["stages"] == json.loads(command("store", "ls", "--json")[1])["stages"]
    assert command("store", "copy", place, "back", "--sweep", "toy.yaml")[0] == 0
    names = [f"outputs/{address}/manifest.json" for address in results.done()]
    assert open_store(here / "back").get_many(names) == results.get_many(names)
    assert command("store", "gc", "--orphans", "--store", place)[1:] == ("", "Nothing to remove.\n")


# wrong input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ls"], "results: there is no such folder"),
        (["verify", "--store", "nowhere"], "nowhere: there is no such folder"),
        (["gc"], "name all sweep files whose results you want to keep, or --orphans"),
        (["gc", "toy.yaml", "--orphans"], "not both"),
        (["gc", "--orphans", "--stale"], "they go with sweep files"),
        (["gc", "absent.yaml", "--yes"], "absent.yaml: there is no such file"),
        (["copy", "nowhere", "there"], "nowhere: there is no such folder"),
        (["copy", "."], "Missing argument 'DST'"),
        (["copy", ".", "."], "is both the source and the target"),
        (["ls", "--store", "gs://x"], "unknown scheme 'gs'"),
        (["tidy"], "No such command"),
    ],
)
def test_wrong_input_is_said_and_leaves_with_2(command, here, arguments, message):
    code, out, err = command("store", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert [path.name for path in here.iterdir()] == ["toy.yaml"]


def test_files_with_different_stores_need_a_choice(command, here):
    write(here, TOY + "store: one\n").rename(here / "one.yaml")
    write(here, TOY + "store: two\n")
    (here / "two").mkdir()
    code, _, err = command("store", "ls", "one.yaml", "toy.yaml")
    assert code == 2
    assert "the sweep files have different stores (one, two); choose one with --store" in err
    assert command("store", "ls", "one.yaml", "toy.yaml", "--store", "two")[0] == 0


def test_a_link_in_a_store_leads_nobody_out(results, command, here, two_hours_later):
    precious = here / "precious"
    precious.mkdir()
    (precious / "0123456789abcdef-aa.json").write_text("x")
    (here / "results/payload" / ("0" * 16)).symlink_to(precious)
    assert command("store", "gc", "--orphans", "--yes")[0] == 0
    assert (precious / "0123456789abcdef-aa.json").exists()
    (here / "results/quarantine").symlink_to(precious)
    code, _, err = command("store", "gc", "--orphans", "--yes")
    assert code == 1
    assert "quarantine: a link leads out of the store" in err
    assert (precious / "0123456789abcdef-aa.json").exists()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_400, "999.4 kB"),
        (999_600, "1.0 MB"),
        (2.5e18, "2500.0 PB"),
    ],
)
def test_bytes_as_people_read_them(size, text):
    assert amount(size) == text
