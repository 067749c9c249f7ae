"""Tidy rows from a real plan and a real store."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from toys.base import TOY, plan_of

from orchestrator.api import results, run
from orchestrator.report.ancestry import epochs
from orchestrator.report.cell import STALE
from orchestrator.report.render import make_report
from orchestrator.report.rows import read
from orchestrator.storage import open_store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A plan and the folder of a store that has all of it."""
    folder = tmp_path_factory.mktemp("toy")
    plan = plan_of(folder)
    run(plan, folder / "store", engine="inline")
    return plan, folder / "store"


@pytest.fixture
def store(finished, tmp_path):
    return open_store(shutil.copytree(finished[1], tmp_path / "store", symlinks=True))


@pytest.fixture
def plan(finished):
    return finished[0]


def test_one_row_per_trial_output_and_metric(plan, store):
    rows = list(read(plan, store).rows())
    # a trial has its model (1 metric), clean (2) and far at two scales (2 each)
    assert len(rows) == 9 * (1 + 2 + 2 * 2)
    assert {(row.node, row.metric) for row in rows} == {
        ("model", "validation.loss"),
        ("clean", "test.accuracy"),
        ("clean", "test.loss"),
        ("far", "test.accuracy"),
        ("far", "test.loss"),
    }
    dense = next(row for row in rows if row.node == "clean")
    assert dense.keys == {"method": "dense", "seed": 0}
    assert dense.value == 0.9


def test_the_frame_has_a_column_for_every_axis_and_key(plan, store):
    frame = results(plan, store)
    assert list(frame.columns) == [
        *("method", "sparsity", "seed", "far.scale"),
        *("node", "metric", "value", "address", "warnings", "stale"),
    ]
    sparse = frame[(frame.method == "sparse") & (frame.metric == "test.accuracy") & (frame.node == "far")]
    assert sorted(set(sparse["far.scale"])) == [0.1, 0.2]
    found = sparse[(sparse.sparsity == 0.5) & (sparse.seed == 2) & (sparse["far.scale"] == 0.1)].value.item()
    assert found == pytest.approx((0.9 - 0.02) * 0.5 * 0.01 * 0.1)
    assert frame[frame.method == "dense"].sparsity.isna().all()


def test_what_is_missing_has_no_rows_and_the_table_says_so(plan, store):
    before = len(list(read(plan, store).rows()))
    gone = next(planned.address for planned in read(plan, store).planned if planned.node == "clean")
    store.discard(gone)
    assert len(list(read(plan, store).rows())) == before - 2
    grid = make_report(plan, store).sections[0]
    # the dense network of one seed shows in both columns
    assert (grid.incomplete, grid.missing, grid.planned) == (2, 1, 9)


def test_warnings_of_the_whole_ancestry_travel_with_a_number(plan, store):
    found = {row.keys["method"]: row.warnings for row in read(plan, store).rows() if row.node == "clean"}
    assert found == {"dense": (), "sparse": ("cut without care",)}


def test_a_number_has_the_epochs_of_the_newest_network_it_was_made_from(plan, store):
    spent = {"dense.model": 30.0, "sparse.cut": 30.0, "sparse.model": 45.0}
    manifests = {
        address: replace(manifest, metrics={"epochs": spent[manifest.node]} if manifest.node in spent else {})
        for address, manifest in store.manifests(plan.addresses).items()
    }
    found = epochs(plan, manifests)
    assert {(manifests[address].node, count) for address, count in found.items()} == {
        *spent.items(),
        *(("dense.clean", 30.0), ("dense.far", 30.0), ("sparse.clean", 45.0), ("sparse.far", 45.0)),
    }
    assert len(found) == len(plan)


def test_where_nothing_was_trained_nothing_has_epochs(plan, store):
    assert read(plan, store).epochs == {}


def test_a_rebuilt_parent_makes_everything_made_from_it_stale(plan, store):
    base = next(
        address for address in plan.addresses if plan.stage_name(plan.id_of(address)) == "grow"
    )  # the dense model of seed 0
    manifest = store.manifest(base)
    store.discard(base)
    with store.publish(base) as draft:
        (draft.folder / "value").write_text("0.1")
        draft.manifest = {
            key: getattr(manifest, key) for key in ("stage", "fields", "inputs", "text", "metrics", "node")
        }
    found = read(plan, store)
    stale = {(row.keys["method"], row.keys["seed"], row.node) for row in found.rows() if row.stale}
    assert stale == {
        ("dense", 0, "clean"),
        ("dense", 0, "far"),
        *(("sparse", 0, node) for node in ("model", "clean", "far")),
    }
    assert make_report(plan, store).sections[0].cells[("sparse",), ("0.5",)].notes[STALE] == 1


def test_an_output_that_was_made_again_with_the_same_content_makes_nothing_stale(plan, store):
    base = plan.addresses[0]
    store.discard(base)
    run(plan, store, engine="inline")
    assert not any(row.stale for row in read(plan, store).rows())


def test_a_sweep_without_tables_gets_one_per_node_and_metric(plan, store):
    bare = replace(plan.sweep, tables=())
    report = make_report(bare.plan(), store)
    assert [section.title for section in report.sections] == [
        "model.validation.loss",
        "clean.test.accuracy",
        "clean.test.loss",
        "far.test.accuracy",
        "far.test.loss",
    ]
    assert report.sections[1].rows == ("method", "sparsity")
    assert report.sections[3].rows == ("method", "sparsity", "far.scale")


def test_a_table_that_cannot_be_made_is_a_problem_and_the_others_are_there(tmp_path, store):
    wrong = plan_of(tmp_path, TOY + "  - {rows: [method], value: clean.acuracy}\n")
    report = make_report(wrong, store)
    assert len(report.sections) == 2
    assert report.problems == [
        f"{tmp_path}/toy.yaml: tables[2].value: unknown metric 'acuracy'."
        " Did you mean 'test.accuracy'? Known: test.accuracy, test.loss"
    ]


def test_an_axis_called_like_a_column_of_ours_is_told_apart(tmp_path):
    text = """
    name: toy
    axes: {value: [0.1, 0.2]}
    methods: {only: {model: {stage: grow, amount: $value}}}
    """
    plan = plan_of(tmp_path, text)
    run(plan, tmp_path / "store", engine="inline")
    frame = results(plan, tmp_path / "store")
    assert list(frame["axis.value"]) == [0.1, 0.2]
    assert list(frame["value"]) == [0.9, 0.8]
