"""The Python API, as a program uses it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from toys.base import TOY, UNIQUE, plan_of

import orchestrator
from orchestrator.api import make_engine, store_for
from orchestrator.errors import InputError
from orchestrator.journal import read_journal, runs
from orchestrator.monitor.history import expected_seconds
from orchestrator.storage import StoreConfig, open_store


def test_a_program_loads_plans_runs_and_reads(tmp_path):
    plan = plan_of(tmp_path)
    summary = orchestrator.run(plan, tmp_path / "store", engine="inline")
    assert (summary.done, summary.failed, summary.interrupted) == (UNIQUE, (), False)
    frame = orchestrator.results(plan, tmp_path / "store")
    clean = frame[(frame.node == "clean") & (frame.metric == "test.accuracy") & (frame.method == "dense")]
    assert list(clean.value) == pytest.approx([0.9, 0.89, 0.88])


def test_the_listener_hears_what_the_journal_holds(tmp_path):
    heard = []
    plan = plan_of(tmp_path, where=["method=dense", "seed=0"])
    orchestrator.run(plan, tmp_path / "store", engine="inline", listener=heard.append)
    written = read_journal(open_store(tmp_path / "store"), "toy")
    assert [event["kind"] for event in written[:-1]] == [event["kind"] for event in heard]
    assert (written[0]["kind"], written[0]["engine"], written[0]["missing"]) == ("opened", "inline", 4)
    assert (written[-1]["kind"], written[-1]["outcome"]) == ("closed", "done")


def test_a_failed_run_says_so_in_its_journal(tmp_path):
    (tmp_path / "flag").write_text("")
    text = TOY.replace("amount: 0.9,", f"amount: 0.9, fails_while: {tmp_path}/flag,")
    summary = orchestrator.run(plan_of(tmp_path, text), tmp_path / "store", engine="inline")
    assert len(summary.failed) == 3
    assert len(summary.blocked) == UNIQUE - 3
    assert read_journal(open_store(tmp_path / "store"), "toy")[-1]["outcome"] == "failed"


def test_a_run_of_what_is_done_leaves_no_trace(tmp_path):
    plan, store = plan_of(tmp_path, where=["method=dense"]), open_store(tmp_path / "store")
    orchestrator.run(plan, store, engine="inline")
    assert orchestrator.run(plan, store, engine="inline").done == 0
    assert len(runs(store, "toy")) == 1


def test_what_is_done_says_how_long_stages_take(tmp_path):
    plan, store = plan_of(tmp_path, where=["method=dense"]), open_store(tmp_path / "store")
    assert expected_seconds(plan, store, store.done()) == {}
    orchestrator.run(plan, store, engine="inline")
    found = expected_seconds(plan, store, store.done())
    assert set(found) == {"grow", "judge"}
    assert all(0 <= seconds < 5 for seconds in found.values())


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = orchestrator.rum


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("rai", None, None, 30.0), "unknown engine 'rai'. Did you mean 'ray'?"),
        (("ray", None, 0, 30.0), "--workers must be at least 1, got 0"),
        (("inline", "auto", None, 30.0), "--address and --workers need --engine ray"),
        (("inline", None, None, float("nan")), "--checkpoint-every must be more than 0 seconds, got nan"),
    ],
)
def test_an_engine_that_cannot_be_is_wrong_input(options, message):
    with pytest.raises(InputError) as caught:
        make_engine(*options)
    assert message in str(caught.value)


def test_where_results_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep = plan_of(tmp_path).sweep
    named = replace(sweep, store=StoreConfig("named"))
    assert store_for(sweep).uri == str(tmp_path / "results")
    assert store_for(named).uri == str(tmp_path / "named")
    assert store_for(named, "given").uri == str(tmp_path / "given")
    assert store_for(None).uri == str(tmp_path / "results")
    assert list(tmp_path.glob("*/")) == []


def test_another_bucket_keeps_the_endpoint_of_the_sweep_file(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("orchestrator.api.open_store", lambda config, write: asked.append(config))
    sweep = replace(plan_of(tmp_path).sweep, store=StoreConfig("s3://a", endpoint="http://h", region="x"))
    store_for(sweep, "s3://b/c")
    store_for(sweep, "folder")
    assert asked == [StoreConfig("s3://b/c", endpoint="http://h", region="x"), "folder"]
