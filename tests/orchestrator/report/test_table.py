"""Tables: statistics, which trials stand in which cell, what becomes a header, what is missing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hand_results import results
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InputError
from orchestrator.report.cell import STALE, Cell
from orchestrator.report.rows import ABSENT
from orchestrator.report.sheet import sheet_of
from orchestrator.report.table import fill
from orchestrator.spec.sweep import Table

SEEDS = Table(rows=("method",), columns=("sparsity",), value="clean.accuracy")


def trial(value, **keys):
    return keys, value


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_mean_and_deviation_are_those_of_numpy(values):
    cell = Cell(tuple(values), len(values), {})
    assert math.isclose(cell.mean, np.mean(values), rel_tol=1e-9, abs_tol=1e-6)
    assert math.isclose(cell.deviation, np.std(values, ddof=1), rel_tol=1e-9, abs_tol=1e-6)


def test_one_value_has_no_deviation_and_none_has_no_mean():
    assert Cell((0.5,), 1, {}).mean == 0.5
    assert Cell((0.5,), 1, {}).deviation is None
    assert Cell((), 1, {}).mean is None


def test_a_cell_aggregates_over_seeds():
    found = fill(
        SEEDS, results(*(trial(v, method="m", sparsity=0.5, seed=s) for s, v in enumerate([0.1, 0.2, 0.6])))
    )
    cell = found.cells[("m",), ("0.5",)]
    assert cell.values == (0.1, 0.2, 0.6)
    assert math.isclose(cell.mean, 0.3)
    assert math.isclose(cell.deviation, math.sqrt((0.04 + 0.01 + 0.09) / 2))
    assert found.added == ()


def test_the_table_agrees_with_a_pandas_group_by():
    rng = np.random.default_rng(0)
    trials = [
        trial(float(rng.random()), method=m, architecture=a, sparsity=p, seed=s)
        for m in ("magnitude", "rigl")
        for a in ("mlp", "resnet8")
        for p in (0.5, 0.9)
        for s in range(4)
    ]
    found = results(*trials)
    table = Table(rows=("architecture", "method"), columns=("sparsity",), value="clean.accuracy")
    grid = fill(table, found)
    expected = (
        found.frame().groupby(["architecture", "method", "sparsity"]).value.agg(["mean", "std", "count"])
    )
    assert len(expected) == len(grid.cells) == 8
    for (architecture, method, sparsity), (mean, deviation, count) in expected.iterrows():
        cell = grid.cells[(architecture, method), (str(sparsity),)]
        assert math.isclose(cell.mean, mean)
        assert math.isclose(cell.deviation, deviation)
        assert cell.n == count


def test_an_axis_that_varies_inside_a_cell_becomes_a_row_header():
    found = fill(
        SEEDS,
        results(
            trial(0.1, method="m", sparsity=0.5, round=0, seed=0),
            trial(0.9, method="m", sparsity=0.5, round=3, seed=0),
        ),
    )
    assert found.rows == ("method", "round")
    assert found.added == ("round",)
    assert found.cells[("m", "3"), ("0.5",)].values == (0.9,)


def sets(*values, **keys):
    """Results of one network on the sets a, b and c."""
    return [trial(value, **keys, **{"clean.ood": name}) for name, value in zip("abc", values, strict=False)]


NEAR = Table(("method",), (), "clean.accuracy", ("seed",), {"clean.ood": ["a", "b"]}, ("clean.ood",))


def test_a_mean_over_a_key_is_taken_before_the_spread_over_seeds():
    found = fill(
        NEAR,
        results(*sets(0.1, 0.5, 0.9, method="m", seed=0), *sets(0.2, 0.6, 0.9, method="m", seed=1)),
    )
    cell = found.cells[("m",), ()]
    assert cell.values == pytest.approx((0.3, 0.4))
    assert (cell.n, cell.planned, found.planned) == (2, 2, 4)
    assert math.isclose(cell.deviation, 0.1 / math.sqrt(2))
    assert found.added == ()


def test_a_mean_of_which_something_is_missing_is_none():
    found = fill(NEAR, results(*sets(0.1, 0.5, method="m", seed=0), *sets(0.2, None, method="m", seed=1)))
    cell = found.cells[("m",), ()]
    assert cell.values == (0.3,)
    assert (cell.n, cell.planned, found.missing) == (1, 2, 1)


def test_a_mean_of_what_trials_share_counts_once():
    shared = [
        ({"address": name * 16, "method": "dense", "sparsity": p, "clean.ood": name}, value)
        for p in (0.5, 0.9)
        for name, value in (("a", 0.2), ("b", 0.4))
    ]
    cell = fill(replace(NEAR, over=("sparsity",)), results(*shared)).cells[("dense",), ()]
    assert cell.values == pytest.approx((0.3,))


def test_other_keys_keep_means_apart_and_become_row_headers():
    found = fill(
        NEAR,
        results(
            *sets(0.1, 0.3, method="m", seed=0, **{"clean.detector": "msp"}),
            *sets(0.5, 0.9, method="m", seed=0, **{"clean.detector": "knn"}),
        ),
    )
    assert found.rows == ("method", "clean.detector")
    assert found.cells[("m", "msp"), ()].values == pytest.approx((0.2,))
    assert found.cells[("m", "knn"), ()].values == pytest.approx((0.7,))


def test_a_mean_carries_a_warning_once():
    found = fill(NEAR, results(*sets(0.1, 0.3, method="m", seed=0), warnings={0: ("odd",), 1: ("odd",)}))
    assert found.cells[("m",), ()].notes == {"odd": 1}


def test_a_key_of_the_node_that_varies_becomes_a_row_header_too():
    found = fill(
        Table((), (), "ood.auroc"),
        results(
            trial(0.1, method="m", **{"ood.detector": "msp"}),
            trial(0.9, method="m", **{"ood.detector": "energy"}),
            node="ood",
            metric="auroc",
        ),
    )
    assert found.rows == ("ood.detector",)
    assert found.row_headers == (("msp",), ("energy",))


def test_an_axis_with_one_value_stays_out_of_the_table():
    found = fill(SEEDS, results(trial(0.1, method="m", sparsity=0.5, dataset="digits", seed=0)))
    assert found.rows == ("method",)


def test_a_trial_that_lacks_a_column_axis_shows_in_every_column():
    found = fill(
        SEEDS,
        results(
            trial(0.7, method="dense", seed=0),
            trial(0.1, method="m", sparsity=0.5, seed=0),
            trial(0.2, method="m", sparsity=0.9, seed=0),
        ),
    )
    assert found.column_headers == (("0.5",), ("0.9",))
    assert found.cells[("dense",), ("0.5",)].values == (0.7,)
    assert found.cells[("dense",), ("0.9",)].values == (0.7,)


def test_a_trial_that_lacks_one_of_two_column_axes_shows_where_the_other_agrees():
    table = Table(("method",), ("sparsity", "tuned"), "clean.accuracy")
    found = fill(
        table,
        results(
            trial(0.7, method="dense", tuned=0),
            *(trial(0.1, method="m", sparsity=p, tuned=t) for p in (0.5, 0.9) for t in (0, 1)),
        ),
    )
    assert [column for row, column in found.cells if row == ("dense",)] == [("0.5", "0"), ("0.9", "0")]


def test_a_sweep_where_no_trial_has_the_column_axis_has_one_column():
    found = fill(SEEDS, results(trial(0.7, method="dense", seed=0), order={"sparsity": ["0.5"]}))
    assert found.column_headers == ((ABSENT,),)


def test_a_table_for_which_the_sweep_plans_no_trial_has_no_rows_and_no_columns():
    table = Table(("method",), ("sparsity",), "clean.accuracy", where={"method": "other"})
    sheet = sheet_of(fill(table, results(trial(0.7, method="m", sparsity=0.5))))
    assert (sheet.header, sheet.lines) == (("method",), ())
    assert sheet.caption == "The plan has nothing of this. Only method=other."


def test_a_row_axis_that_a_trial_lacks_is_a_dash_and_stands_first():
    found = fill(
        Table(("finetune", "length"), (), "clean.accuracy"),
        results(trial(0.1, finetune="clean", length=5), trial(0.2, finetune="none")),
    )
    assert found.row_headers == (("clean", "5"), ("none", ABSENT))


def test_rows_and_columns_follow_the_sweep_file_not_the_plan():
    found = fill(
        SEEDS,
        results(
            trial(0.1, method="a", sparsity=0.9, seed=0),
            trial(0.1, method="b", sparsity=0.5, seed=0),
            trial(0.1, method="b", sparsity=0.7, seed=0),
            order={"method": ["b", "a"], "sparsity": ["0.5", "0.9"]},
        ),
    )
    assert found.row_headers == (("b",), ("a",))
    assert found.column_headers == (("0.5",), ("0.9",), ("0.7",))  # 0.7 is only included


def test_a_stage_that_trials_share_counts_once():
    shared = [({"method": "m", "sparsity": 0.5, "seed": seed, "address": "f" * 16}, 0.8) for seed in range(3)]
    found = fill(SEEDS, results(*shared))
    assert found.cells[("m",), ("0.5",)].n == 1
    assert found.added == ()


def test_what_a_shared_stage_has_several_values_of_is_no_header_even_without_over():
    shared = [({"method": "m", "sparsity": 0.5, "seed": seed, "address": "f" * 16}, 0.8) for seed in range(3)]
    assert fill(Table(("method",), ("sparsity",), "clean.accuracy", over=()), results(*shared)).added == ()


def test_true_and_one_are_different_values():
    found = fill(Table(("x",), (), "clean.accuracy"), results(trial(0.1, x=True), trial(0.2, x=1)))
    assert found.row_headers == (("true",), ("1",))


def test_a_missing_cell_is_planned_but_has_no_value():
    found = fill(
        SEEDS,
        results(trial(0.1, method="m", sparsity=0.5, seed=0), trial(None, method="m", sparsity=0.9, seed=0)),
    )
    assert found.cells[("m",), ("0.9",)].n == 0
    assert (found.incomplete, found.missing, found.planned) == (1, 1, 2)


def test_a_cell_that_lacks_a_seed_says_how_many_it_has():
    found = fill(
        SEEDS, results(*(trial(v, method="m", sparsity=0.5, seed=s) for s, v in enumerate([0.1, None, 0.3])))
    )
    cell = found.cells[("m",), ("0.5",)]
    assert (cell.n, cell.planned) == (2, 3)
    assert (found.incomplete, found.missing, found.planned) == (1, 1, 3)


def test_where_keeps_the_trials_that_match_all_its_keys():
    found = results(
        *(trial(0.1, method=m, sparsity=p, seed=0) for m in ("a", "b") for p in (0.5, 0.9)),
        trial(0.3, method="dense"),
    )
    table = Table(
        ("method",), ("sparsity",), "clean.accuracy", where={"method": ["a", "dense"], "sparsity": 0.9}
    )
    assert list(fill(table, found).cells) == [(("a",), ("0.9",))]


@pytest.mark.parametrize(
    "wanted", ["wide_resnet", {"name": "wide_resnet"}, {"name": "wide_resnet", "depth": 22}]
)
def test_where_finds_a_mapping_by_its_name(wanted):
    found = results(
        trial(0.1, architecture="wide_resnet(depth=22, width=2)"), trial(0.2, architecture="wide")
    )
    cells = fill(Table((), (), "clean.accuracy", where={"architecture": wanted}), found).cells
    assert [cell.values for cell in cells.values()] == [(0.1,)]


def test_where_does_not_take_one_for_true():
    found = results(trial(0.1, x=True), trial(0.2, x=1))
    cells = fill(Table((), (), "clean.accuracy", where={"x": 1}), found).cells
    assert [cell.values for cell in cells.values()] == [(0.2,)]


def test_the_split_may_be_left_out_where_there_is_one():
    found = fill(SEEDS, results(trial({"test.accuracy": 0.5, "test.ece": 0.1}, method="m", sparsity=0.5)))
    assert found.title == "clean.test.accuracy"
    assert found.cells[("m",), ("0.5",)].values == (0.5,)


def test_the_split_must_be_named_where_there_are_several():
    both = results(trial({"test.accuracy": 0.5, "validation.accuracy": 0.6}, method="m", sparsity=0.5))
    with pytest.raises(
        InputError, match=r"t.yaml: tables\[0\].value: 'accuracy' is there for several splits: test"
    ):
        fill(SEEDS, both, "t.yaml: tables[0]")
    named = Table(("method",), ("sparsity",), "clean.validation.accuracy")
    assert fill(named, both).cells[("m",), ("0.5",)].values == (0.6,)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (Table((), (), "clean.acuracy"), "unknown metric 'acuracy'. Did you mean 'test.accuracy'"),
        (Table((), (), "claen.accuracy"), "unknown node 'claen'. Did you mean 'clean'? Known: clean"),
        (Table(("metod",), (), "clean.accuracy"), "unknown key 'metod'. Did you mean 'method'?"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(table, message):
    with pytest.raises(InputError) as caught:
        fill(table, results(trial(0.5, method="m", seed=0)))
    assert message in str(caught.value)


def test_an_unknown_metric_is_no_error_before_there_are_results():
    assert fill(Table((), (), "clean.anything"), results(trial(None, method="m"))).cells[(), ()].n == 0


def test_a_table_knows_the_epochs_behind_the_results_it_shows_and_no_others():
    found = results(
        trial(0.7, method="dense", seed=0),
        trial(0.1, method="m", sparsity=0.5, seed=0),
        trial(None, method="m", sparsity=0.9, seed=0),
        trial(0.2, method="other", sparsity=0.5, seed=0),
        epochs={0: 45.0, 1: 30.0, 2: 60.0, 3: 90.0},
    )
    assert fill(replace(SEEDS, where={"method": ["dense", "m"]}), found).epochs == (30.0, 45.0)


def test_warnings_and_staleness_are_notes_of_the_cell():
    found = fill(
        SEEDS,
        results(
            *(trial(0.1, method="m", sparsity=0.5, seed=s) for s in range(3)),
            warnings={0: ("gradients are all zero",), 2: ("gradients are all zero",)},
            stale=(1,),
        ),
    )
    assert found.cells[("m",), ("0.5",)].notes == {"gradients are all zero": 2, STALE: 1}
