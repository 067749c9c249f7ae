"""One try of one stage, as every engine makes it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from engine_stages.base import left
from small_plans import SmallPlan

from orchestrator.engine.provenance import Provenance, provenance
from orchestrator.engine.worker import Settings, execute

SETTINGS = Settings(Provenance("c0ffee", True, {"python": "3"}), checkpoint_seconds=0.0)


def one(stage, **fields):
    plan = SmallPlan()
    return plan.job(plan.add(stage, **fields))


def test_the_output_and_all_that_is_known_about_it_are_published(store):
    plan = SmallPlan()
    first = plan.job(plan.add("add", number=2.5))
    job = plan.job(plan.add("add", reads={"terms": [0], "first": (0, "half")}, number=1.0, cpus=2.0))
    assert execute(first, store, SETTINGS).ending == "done"
    outcome = execute(job, store, SETTINGS)
    assert (outcome.ending, outcome.reason) == ("done", "")
    assert (store.fetch(job.address) / "value").read_text() == "4.75"  # 1 + 2.5 + 2.5 / 2
    manifest = store.manifest(job.address)
    digest = store.manifest(first.address).digest
    assert manifest.metrics == {"total": 4.75}
    assert manifest.text == job.text
    assert manifest.fields == {"folder": "", "number": 1.0}
    assert manifest.inputs == {
        "terms": [{"address": first.address, "digest": digest}],
        "first": {"address": first.address, "digest": digest, "part": "half"},
    }
    assert (manifest.stage, manifest.node, manifest.point) == ("add", "method.add", {"number": 1.0})
    assert (manifest.commit, manifest.dirty, manifest.packages) == ("c0ffee", True, {"python": "3"})
    assert (manifest.device, manifest.cpus) == ("cpu", 2.0)
    assert 0 < manifest.measured["seconds"] < 10
    assert manifest.measured["peak_memory_bytes"] > 1e6
    assert manifest.started <= manifest.finished


def test_an_output_that_is_there_is_not_made_again(store, folder):
    job = one("add", folder=folder)
    assert [execute(job, store, SETTINGS).ending for _ in range(2)] == ["done", "elsewhere"]
    assert len(left(folder, "added")) == 1


def test_a_failure_does_not_count_where_another_driver_was_done_meanwhile(store, folder, monkeypatch):
    job = one("count", steps=2, seconds=0.0, folder=folder)

    def others(self):
        monkeypatch.undo()
        assert execute(job, store, SETTINGS).ending == "done"
        raise FileNotFoundError("the checkpoint that was being read")

    monkeypatch.setattr("orchestrator.engine.control.Checkpoints.latest", others)
    outcome = execute(job, store, SETTINGS)
    assert (outcome.ending, outcome.reason) == ("elsewhere", "")
    assert len(left(folder, "began")) == 1


@pytest.mark.parametrize(
    ("kind", "ending", "reason"),
    [
        ("error", "error", "RuntimeError: no luck with 0; second line"),
        ("memory", "memory", "OutOfMemoryError: CUDA out of memory"),
        ("exit", "error", "SystemExit: 3"),
        ("nan", "error", "ValueError: a metric must be a finite number, got 'loss': nan"),
        ("text", "error", "TypeError: a metric must be a number under a name, got 'loss': a str"),
    ],
)
def test_what_a_stage_raises_or_returns_wrongly_is_an_outcome_and_publishes_nothing(
    store, folder, kind, ending, reason
):
    job = one("fail", folder=folder, kind=kind)
    outcome = execute(job, store, SETTINGS)
    assert (outcome.ending, outcome.reason) == (ending, reason)
    assert store.done() == set()


def test_an_output_that_no_store_can_keep_is_the_mistake_of_the_stage(store, folder):
    outcome = execute(one("fail", folder=folder, kind="store"), store, SETTINGS)
    assert outcome.ending == "error"
    assert "a\\nb" in outcome.reason


def test_the_traceback_begins_in_the_stage(store, folder):
    outcome = execute(one("fail", folder=folder), store, SETTINGS)
    assert outcome.traceback.startswith("Traceback")
    assert "fail.py" in outcome.traceback
    assert "worker.py" not in outcome.traceback


def test_in_debug_the_exception_of_the_stage_comes_through(store, folder):
    with pytest.raises(RuntimeError, match="no luck"):
        execute(one("fail", folder=folder), store, Settings(debug=True))


def test_fields_that_cannot_be_built_are_rejected(store):
    outcome = execute(one("refuse", sparsity=1.5), store, SETTINGS)
    assert (outcome.ending, outcome.reason) == ("rejected", "sparsity must be in [0, 1), got 1.5")
    assert execute(one("refuse", sparsty=0.5), store, SETTINGS).ending == "rejected"


def test_an_input_that_is_not_there_is_named(store):
    plan = SmallPlan()
    plan.add("add", number=1)
    job = plan.job(plan.add("add", reads={"first": 0}))
    outcome = execute(job, store, SETTINGS)
    assert (outcome.ending, outcome.lost) == ("lost", plan.addresses[0])


def test_an_input_that_was_damaged_is_named(store):
    plan = SmallPlan()
    plan.add("add", number=1)
    job = plan.job(plan.add("add", reads={"first": 0}))
    execute(plan.job(0), store, SETTINGS)
    file = store.fetch(plan.addresses[0]) / "value"
    file.unlink()
    file.write_text("something longer")
    outcome = execute(job, store, SETTINGS)
    assert (outcome.ending, outcome.lost) == ("lost", plan.addresses[0])


def test_a_part_that_an_input_has_not_is_an_error(store):
    plan = SmallPlan()
    plan.add("add", number=1)
    job = plan.job(plan.add("add", reads={"first": (0, "quarter")}))
    execute(plan.job(0), store, SETTINGS)
    assert "has no part 'quarter'" in execute(job, store, SETTINGS).reason


def test_a_stage_that_is_asked_to_stop_saves_and_goes_on_from_there(store, folder):
    job = one("count", steps=10, seconds=0.0, folder=folder)
    stop, seen = threading.Event(), []

    def report(report):
        seen.append((report.done, report.total, report.metrics))
        stop.set()

    slow = Settings(checkpoint_seconds=1e9)
    assert execute(job, store, slow, stop=stop, report=report).ending == "stopped"
    assert seen == [(1, 10, {"square": 1.0})]
    assert store.done() == set()
    reached = left(folder, "step")[-1]["step"]
    assert store.latest_checkpoint(job.address)[0] == reached
    assert execute(job, store, slow).ending == "done"
    assert [event["step"] for event in left(folder, "step")] == list(range(1, 11))
    assert store.latest_checkpoint(job.address) is None  # nothing is left behind once it is done


def test_a_checkpoint_that_cannot_be_saved_is_told_and_stops_nothing(store, folder, monkeypatch):
    def refuse(address, step, folder):
        raise OSError("no space left")

    monkeypatch.setattr(store, "save_checkpoint", refuse)
    outcome = execute(one("count", steps=2, seconds=0.0, folder=folder), store, SETTINGS)
    assert outcome.ending == "done"
    assert outcome.notes[0] == "checkpoint after step 1 not saved: no space left"


def test_a_stage_that_raises_keeps_its_checkpoint(store, folder):
    job = one("count", steps=3, seconds=0.0, folder=folder)
    assert execute(job, store, SETTINGS, report=lambda report: 1 / 0).ending == "error"
    assert store.latest_checkpoint(job.address)[0] == 1


def test_the_code_that_made_a_result_is_known_by_its_commit_and_versions(tmp_path):
    assert provenance().packages["python"].startswith("3.")
    assert "ray" in provenance().packages
    assert provenance(tmp_path).commit is None


def test_a_worker_starts_without_the_planner():
    heavy = {"numpy", "pandas", "pydantic", "boto3", "torch", "orchestrator.spec", "orchestrator.plan.plan"}
    code = f"import sys, orchestrator.engine.actor; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
