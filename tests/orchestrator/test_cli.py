"""The commands, in this process on toy stages, and as a user runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from toys.base import STAGES, TOY, TRIALS, UNIQUE, write
from toys.terminal import COMMAND, environment, frames, on_a_terminal, plain

from orchestrator.cli.run import show_command
from orchestrator.journal import read_journal, runs
from orchestrator.storage import StoreConfig, open_store

PROGRAM = Path(sys.executable).with_name("sparsweep")
FAILING = TOY.replace("amount: $sparsity,", "amount: $sparsity, fails_while: FLAG,")


@pytest.fixture
def failing(here):
    """The toy sweep, whose cuts fail while the file ``flag`` is there."""
    (here / "flag").write_text("")
    write(here, FAILING.replace("FLAG", str(here / "flag")))
    return here / "flag"


# plan


def test_plan_counts_what_is_shared_done_and_missing(command):
    code, out, _ = command("plan", "toy.yaml", "--json")
    found = json.loads(out)
    assert code == 0
    assert {
        key: found[key] for key in ("name", "trials", "stages", "unique", "shared", "done", "missing")
    } == {
        "name": "toy",
        "trials": TRIALS,
        "stages": STAGES,
        "unique": UNIQUE,
        "shared": STAGES - UNIQUE,
        "done": 0,
        "missing": UNIQUE,
    }
    assert {
        "node": "sparse.cut",
        "stage": "grow",
        "axes": ["sparsity", "seed"],
        "unique": 6,
        "done": 0,
    } in found["nodes"]
    assert sum(node["unique"] for node in found["nodes"]) == UNIQUE


def test_plan_shows_people_the_same(command):
    code, out, err = command("plan", "toy.yaml")
    assert code == 0
    assert f"{TRIALS} trials need {UNIQUE} stages ({STAGES} if nothing were shared)." in out
    assert re.search(r"^sparse\.cut +grow +sparsity, seed +6 +0$", out, re.MULTILINE)
    assert err == ""


def test_plan_writes_nothing(command, here):
    command("plan", "toy.yaml")
    command("status", "toy.yaml")
    command("report", "toy.yaml")
    assert [path.name for path in here.iterdir()] == ["toy.yaml"]


def test_plan_takes_conditions_and_settings(command):
    _, out, _ = command("plan", "toy.yaml", "--json", "--where", "method=dense", "--set", "axes.seed=[5]")
    assert (json.loads(out)["trials"], json.loads(out)["unique"]) == (1, 4)
    _, out, _ = command("plan", "toy.yaml", "--json", "--where", "sparsity=0.5", "--where", "method=sparse")
    assert json.loads(out)["trials"] == 3


def test_plan_status_and_report_say_what_is_stale(ran, here):
    assert json.loads(ran("status", "toy.yaml", "--json")[1])["stale"] == 0
    assert "stale" not in ran("status", "toy.yaml")[1]
    store = open_store(here / "results")
    base = next(address for address in store.done() if not store.manifest(address).inputs)
    kept = store.manifest(base)
    store.discard(base)
    with store.publish(base) as draft:
        (draft.folder / "value").write_text("0.1")
        draft.manifest = {key: getattr(kept, key) for key in ("stage", "text", "metrics")}
    _, out, _ = ran("plan", "toy.yaml", "--json")
    assert json.loads(out)["stale"] == 3 + 2 * 5  # its three judges, and both sparsities with all they have
    assert "13 are stale" in ran("plan", "toy.yaml")[1]
    found = json.loads(ran("status", "toy.yaml", "--json")[1])
    assert (found["stale"], found["done"]) == (13, UNIQUE)
    assert base not in found["stale_stages"]
    _, out, _ = ran("status", "toy.yaml")
    assert "stale    13 done, but what they were made from has been rebuilt differently since\n" in out
    assert re.search(rf"^  {found['stale_stages'][0]}  \S+\.\S+ .*seed=\d$", out, re.MULTILINE)
    rows = json.loads(ran("report", "toy.yaml", "--format", "json")[1])["rows"]
    stale = {row["address"] for row in rows if row["stale"]}
    assert stale < set(found["stale_stages"])  # which names networks and cuts too
    assert len(stale) == 3 + 2 * 4


def test_warnings_of_the_planner_go_to_stderr(command, here):
    write(here, TOY.replace("  dense: {model:", "  dense: {unread: {stage: grow, amount: 1}, model:"))
    _, out, err = command("plan", "toy.yaml", "--json")
    assert "toy.yaml: methods.dense.unread: no node reads it" in command("plan", "toy.yaml")[2]
    assert json.loads(out)["warnings"] == ["methods.dense.unread: no node reads it, so it never runs"]
    assert err == ""


# run


def test_run_executes_every_stage_once_and_prints_the_tables(command, here):
    code, out, err = command("run", "toy.yaml", "--engine", "inline")
    assert code == 0
    assert f"{TRIALS} trials need {UNIQUE} stages ({STAGES} if nothing were shared)" in err
    assert f"{UNIQUE} stages in 0:" in err
    started = [
        event for event in read_journal(open_store(here / "results"), "toy") if event["kind"] == "started"
    ]
    assert len(started) == len({event["address"] for event in started}) == UNIQUE
    assert "## clean.test.accuracy (%)" in out
    assert re.search(r"^\| dense +\| +89\.0 ± 1\.0 \(n=3\) \| +89\.0 ± 1\.0 \(n=3\) \|$", out, re.MULTILINE)
    assert re.search(
        r"^\| sparse +\| 0\.4 ± 0\.0 \(n=3\) \[1\] \| 0\.8 ± 0\.0 \(n=3\) \[1\] \|$", out, re.MULTILINE
    )
    assert "[1] cut without care" in out


def test_a_second_run_finds_everything_done_and_leaves_no_journal(ran, here):
    code, out, err = ran("run", "toy.yaml")  # with the default engine: Ray must not start
    assert code == 0
    assert "Nothing to run: everything is done in" in err
    assert "## clean.test.accuracy (%)" in out
    assert len(runs(open_store(here / "results"), "toy")) == 1


def test_a_new_seed_runs_only_what_is_new(ran):
    _, _, err = ran("run", "toy.yaml", "--engine", "inline", "--set", "axes.seed=[0, 1, 2, 3]")
    assert f"{UNIQUE} were found done in" in err
    assert f"{UNIQUE // 3} to run (inline)" in err
    assert f"{UNIQUE // 3} stages in 0:" in err


def test_the_store_is_the_option_else_the_files_else_results(command, here):
    command("run", "toy.yaml", "--engine", "inline", "--store", "elsewhere")
    assert sorted(path.name for path in here.iterdir()) == ["elsewhere", "toy.yaml"]
    write(here, TOY + "store: named\n")
    command("run", "toy.yaml", "--engine", "inline")
    assert sorted(path.name for path in here.iterdir()) == ["elsewhere", "named", "toy.yaml"]


def test_a_failure_is_told_with_its_reason_how_to_see_more_and_how_to_retry(command, failing, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["sparsweep", "run", "toy.yaml", "--engine", "inline"])
    code, out, err = command("run", "toy.yaml", "--engine", "inline", "--store", "a store")
    assert code == 1
    assert "6 failed; 24 need them and did not run:" in err
    assert "  sparse.cut sparsity=0.5 seed=0\n" in err
    assert f"{failing} is in the way (the same error twice)" in err
    assert re.search(r"^    sparsweep show [0-9a-f]{16} --store '/.*/a store'$", err, re.MULTILINE)
    assert "To try them again:\n  sparsweep run toy.yaml --engine inline\n" in err
    assert "Traceback" not in err
    assert re.search(r"^\| sparse +\| +– \| +– \|$", out, re.MULTILINE)  # noqa: RUF001
    assert "Incomplete: 6 of 9 results are missing, in 2 of 4 cells." in out


def test_at_most_ten_failures_are_told(command, failing):
    _, _, err = command("run", "toy.yaml", "--engine", "inline", "--set", "axes.seed=[0, 1, 2, 3, 4, 5]")
    assert err.count("sparsweep show") == 10
    assert "and 2 more" in err


def test_run_tries_failed_stages_again_and_skip_failed_does_not(command, failing):
    assert command("run", "toy.yaml", "--engine", "inline")[0] == 1
    code, _, err = command("run", "toy.yaml", "--engine", "inline", "--skip-failed")
    assert code == 1
    assert "6 stages failed before and were skipped" in err
    failing.unlink()
    code, _, err = command("run", "toy.yaml", "--engine", "inline")
    assert code == 0
    assert "30 stages in 0:" in err


# status


def counts(command):
    found = json.loads(command("status", "toy.yaml", "--json")[1])
    return [found[key] for key in ("done", "running", "failed", "blocked", "missing")]


def test_status_of_a_sweep_that_never_ran(command):
    assert counts(command) == [0, 0, 0, 0, UNIQUE]
    assert "toy: never run" in command("status", "toy.yaml")[1]


def test_status_after_a_run(ran):
    assert counts(ran) == [UNIQUE, 0, 0, 0, 0]


def test_status_names_what_failed_why_and_what_it_blocks(command, failing):
    command("run", "toy.yaml", "--engine", "inline")
    assert counts(command) == [12, 0, 6, 24, 0]
    code, out, _ = command("status", "toy.yaml")
    assert code == 0
    assert f"sparse.cut sparsity=0.5 seed=0: RuntimeError: {failing} is in the way" in out
    assert "4 by sparse.cut sparsity=0.5 seed=0" in out


def test_status_follows_the_store_when_outputs_are_deleted(ran, here):
    store = open_store(here / "results")
    judge = next(address for address in store.done() if store.manifest(address).stage == "judge")
    store.discard(judge)
    assert counts(ran) == [UNIQUE - 1, 0, 0, 0, 1]


# debug


def test_debug_runs_one_trial_and_prints_its_numbers(command, here):
    code, out, err = command("debug", "toy.yaml", "--where", "method=sparse", "--where", "sparsity=0.9")
    assert code == 0
    assert "runs dense.model seed=0\n     done in 0.0 s\nruns sparse.cut sparsity=0.9 seed=0\n" in err
    assert "3 trials match; this is the first of them" in err
    assert "trial method=sparse sparsity=0.9 seed=0" in err
    assert float(re.search(r"^clean\.test\.accuracy (\S+)$", out, re.MULTILINE)[1]) == pytest.approx(0.0081)
    assert re.search(r"^far\.test\.accuracy scale=0\.2 0\.00162", out, re.MULTILINE)
    # the dense network, the cut, the model, and three judges, in the store that a run uses
    assert len(open_store(here / "results").done()) == 6
    _, again, err = command("debug", "toy.yaml", "--where", "method=sparse", "--where", "sparsity=0.9")
    assert "Nothing to run" in err
    assert again == out


def test_debug_lets_the_exception_of_a_stage_through(command, failing):
    with pytest.raises(RuntimeError, match="is in the way"):
        command("debug", "toy.yaml", "--where", "method=sparse")


# report


def test_report_prints_a_format_or_writes_its_files(ran, here):
    code, out, err = ran("report", "toy.yaml")
    assert (code, err) == (0, "")
    assert out.startswith("# toy\n\n## clean.test.accuracy (%)\n")
    assert len(json.loads(ran("report", "toy.yaml", "--format", "json")[1])["rows"]) == 9 * 7
    assert len(ran("report", "toy.yaml", "--format", "csv")[1].splitlines()) == 1 + 9 * 7
    code, out, err = ran("report", "toy.yaml", "--format", "csv", "--output", "tables")
    assert (code, out) == (0, "")
    assert sorted(path.name for path in (here / "tables").iterdir()) == [
        "results.csv",
        "table-1-clean.test.accuracy.csv",
        "table-2-far.test.accuracy.csv",
    ]
    assert err.count("wrote tables/") == 3


def test_report_prints_what_it_can_and_leaves_with_2_for_a_wrong_table(ran, here):
    write(here, TOY + "  - {rows: [method], value: clean.acuracy}\n")
    code, out, err = ran("report", "toy.yaml")
    assert code == 2
    assert out.count("## ") == 2
    assert err.startswith(
        "toy.yaml: tables[2].value: unknown metric 'acuracy'. Did you mean 'test.accuracy'?"
    )


# show


def test_show_tells_everything_about_an_output(ran, here):
    store = open_store(here / "results")
    judge = next(
        address
        for address in sorted(store.done())
        if store.manifest(address).node == "sparse.clean" and store.manifest(address).point["seed"] == 1
    )
    code, out, _ = ran("show", judge[:9])
    assert code == 0
    assert out.startswith(f"{judge}  judge, version 1\nnode      sparse.clean seed=1 sparsity=")
    assert re.search(r"^metrics   test\.accuracy: 0\.00", out, re.MULTILINE)
    chain = [line.split() for line in out[out.index("made from") :].splitlines()[1:]]
    assert [entry[:2] for entry in chain] == [["model:", "grow"]] * 3
    found = json.loads(ran("show", judge, "--json")[1])
    assert found["manifest"]["address"] == judge
    assert [entry["address"] for entry in found["made_from"]] == [entry[2] for entry in chain]


def test_show_has_the_traceback_of_a_failure(command, failing):
    _, _, err = command("run", "toy.yaml", "--engine", "inline")
    address = re.search(r"sparsweep show (\w+)", err)[1]
    code, out, _ = command("show", address)
    assert code == 0
    assert "Traceback (most recent call last)" in out
    assert f"RuntimeError: {failing} is in the way" in out


def test_show_of_an_unknown_or_ambiguous_address_is_wrong_input(ran):
    code, _, err = ran("show", "xyz")
    assert code == 2
    assert "no output and no failure whose address begins with 'xyz'" in err
    code, _, err = ran("show", "")
    assert code == 2
    assert f"{UNIQUE} addresses begin with ''" in err


def test_the_hint_of_a_failure_names_what_only_the_sweep_file_knew(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "mine")
    config = StoreConfig("s3://a/b", endpoint="http://h:1", profile="mine")
    found = show_command("ab12", SimpleNamespace(config=config, uri=config.uri))
    assert found == "AWS_ENDPOINT_URL=http://h:1 sparsweep show ab12 --store s3://a/b"


# wrong input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (["plan", "toy.yaml", "--where", "sparsty=0.5"], "unknown axis 'sparsty'. Did you mean 'sparsity'?"),
        (["plan", "toy.yaml", "--where", "sparsity=0.7"], "selects no trial"),
        (["plan", "toy.yaml", "--where", "sparsity"], "must be axis=value"),
        (["plan", "toy.yaml", "--set", "axes.sed=[1]"], "axes.sed"),
        (["plan", "toy.yaml", "--store", "gs://x"], "unknown scheme 'gs'"),
        (["plan", "toy.yaml", "--store", "toy.yaml"], "is a file, not a folder"),
        (["run", "toy.yaml", "--engine", "rai"], "--engine: unknown engine 'rai'. Did you mean 'ray'?"),
        (["run", "toy.yaml", "--workers", "0"], "--workers must be at least 1, got 0"),
        (
            ["run", "toy.yaml", "--engine", "inline", "--workers", "2"],
            "--address and --workers need --engine ray",
        ),
        (["run", "toy.yaml", "--checkpoint-every", "0"], "--checkpoint-every must be more than 0 seconds"),
        (["report", "toy.yaml", "--format", "word"], "--format: unknown format 'word'"),
        (["report", "toy.yaml", "--output", "toy.yaml"], "cannot write the report"),
        (["plan"], "Missing argument"),
        (["plan", "toy.yaml", "--nonsense"], "No such option"),
        (["fly"], "No such command"),
    ],
)
def test_wrong_input_is_said_and_leaves_with_2(command, here, arguments, message):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert [path.name for path in here.iterdir()] == ["toy.yaml"]


def test_every_problem_of_a_file_has_its_own_line(command, here):
    write(here, TOY.replace("scale: [", "sale: [").replace("dense.model", "dens.model"))
    code, _, err = command("run", "toy.yaml", "--engine", "inline")
    assert code == 2
    lines = err.splitlines()
    assert len(lines) == 2, err
    assert all(line.startswith("toy.yaml: ") for line in lines)


def test_ctrl_c_leaves_with_130(command, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.cli.asked.load", stop)
    code, out, err = command("plan", "toy.yaml")
    assert (code, out, err) == (130, "", "interrupted\n")


# as a user runs it


def sparsweep(*arguments, cwd, **options):
    return subprocess.run(
        [PROGRAM, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False, **options
    )


REAL = """
name: real
axes: {method: [dense], seed: [0, 1]}
methods: {dense: {model: {stage: train, architecture: mlp, dataset: digits, epochs: 1, seed: $seed}}}
evaluate: {clean: {stage: classify, reads: {model: model}}}
tables: [{rows: [method], value: clean.accuracy}]
"""


@pytest.mark.slow
def test_a_user_runs_a_real_sweep_and_asks_for_its_status(tmp_path):
    write(tmp_path, REAL)
    found = sparsweep("run", "toy.yaml", "--engine", "inline", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert re.search(r"\| dense +\| +[5-9]\d\.\d ± \d\.\d \(n=2\) \|", found.stdout)
    found = sparsweep("status", "toy.yaml", "--json", cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout)["done"] == 4


@pytest.mark.slow
def test_wrong_input_has_no_traceback_and_starts_nothing(tmp_path):
    write(tmp_path, REAL.replace("epochs: 1", "epoch: 1").replace("mlp", "mpl"))
    found = sparsweep("run", "toy.yaml", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert "Traceback" not in found.stderr
    assert "Did you mean 'mlp'?" in found.stderr
    assert "Did you mean 'epochs'?" in found.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["toy.yaml"]


def test_a_reader_that_went_away_is_no_error_message(tmp_path):
    write(tmp_path)
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w") as gone:
        found = subprocess.run(
            [sys.executable, "-c", COMMAND, "plan", "toy.yaml", "--json"],
            cwd=tmp_path,
            stdout=gone,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
            env=environment(),
        )
    assert (found.returncode, found.stderr) == (141, b"")


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


@pytest.fixture
def waiting(here):
    """A run in another process, whose second network waits while the file ``flag`` is there."""
    (here / "flag").write_text("")
    write(here, TOY.replace("amount: $sparsity,", f"amount: $sparsity, waits_while: {here}/flag,"))
    arguments = [sys.executable, "-c", COMMAND, "run", "toy.yaml", "--engine", "inline", "--where", "seed=0"]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as started:
        yield started
        started.kill()


def status_of(command):
    return json.loads(command("status", "toy.yaml", "--where", "seed=0", "--json")[1])


def test_a_run_can_be_watched_interrupted_and_continued(command, here, waiting):
    found = wait_for(lambda: (now := status_of(command))["running"] and now)
    assert found["state"] == "running"
    assert (found["done"] + found["running"] + found["missing"], found["failed"]) == (14, 0)
    assert found["running_stages"][0]["label"] == "sparse.cut sparsity=0.5 seed=0"
    wait_for(lambda: status_of(command)["running_stages"][0]["total"] == 1000)
    _, out, _ = command("status", "toy.yaml", "--where", "seed=0")
    assert "toy: running, store" in out
    assert re.search(r"^  sparse\.cut sparsity=0\.5 seed=0  \d+/1000  0:0\d$", out, re.MULTILINE)
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (130, "")
    assert "Interrupted after" in err
    assert "The same command continues:\n  sparsweep run toy.yaml --engine inline --where seed=0" in err
    assert "Traceback" not in err
    assert status_of(command)["state"] == "interrupted"
    (here / "flag").unlink()
    before = status_of(command)["done"]
    code, _, err = command("run", "toy.yaml", "--engine", "inline", "--where", "seed=0")
    assert code == 0
    assert f"{before} were found done" in err
    assert status_of(command)["done"] == 14


def test_status_knows_that_a_killed_driver_is_gone(command, waiting):
    wait_for(lambda: status_of(command)["running"])
    waiting.kill()
    waiting.wait()
    found = status_of(command)
    assert (found["state"], found["running"]) == ("lost", 0)
    assert "its driver is gone" in command("status", "toy.yaml")[1]


def test_help_and_the_package_load_nothing_heavy():
    code = "import sys, orchestrator; from orchestrator.cli.app import app\n"
    code += (
        "print({'torch', 'ray', 'pandas', 'numpy', 'pydantic', 'boto3', 'scipy', 'yaml'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_tables_are_drawn_where_stdout_is_a_terminal(ran, here):
    text = plain(on_a_terminal("-c", COMMAND, "report", "toy.yaml"))
    assert re.search(r"dense +89\.0 ± 1\.0 +89\.0 ± 1\.0", text)
    assert "over seed, n=3." in text
    assert "|" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_run_on_a_terminal_leaves_only_its_words_and_tables(here):
    drawn = on_a_terminal("-c", COMMAND, "run", "toy.yaml", "--engine", "inline")
    text = frames(drawn)[-1]  # the picture is wiped away before the words
    assert text.startswith(f"{UNIQUE} stages in 0:0")
    assert re.search(r"dense +89\.0 ± 1\.0 +89\.0 ± 1\.0", text)
