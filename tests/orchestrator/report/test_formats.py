"""Every format on the same small report."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hand_results import results

from orchestrator.errors import InputError
from orchestrator.report.cell import Cell
from orchestrator.report.numbers import cell_text, in_percent, number
from orchestrator.report.render import Report, known_formats, render, write
from orchestrator.report.rows import ABSENT
from orchestrator.report.sheet import sheet_of
from orchestrator.report.table import fill
from orchestrator.spec.sweep import Table

NOTE = "The networks of this table had {} epochs of training in all; model.epochs says which had how many."


@pytest.fixture
def report():
    found = results(
        *(({"method": "dense", "seed": seed}, value) for seed, value in enumerate([0.97, 0.98, 0.99])),
        *(
            ({"method": "rigl", "sparsity": 0.5, "seed": seed}, value)
            for seed, value in enumerate([0.9, 0.91, None])
        ),
        ({"method": "rigl", "sparsity": 0.9, "seed": 0}, None),
        warnings={3: ("fewer than 10 topology | updates",)},
        order={"method": ["dense", "rigl"], "sparsity": ["0.5", "0.9"], "seed": ["0", "1", "2"]},
    )
    table = Table(("method",), ("sparsity",), "clean.accuracy")
    return Report("small", found, [fill(table, found)])


MARKDOWN = """\
# small

## clean.test.accuracy (%)

Mean ± sample standard deviation over seed, n=2 to 3. Incomplete: 2 of 7 results are missing, in 2 of 4 cells.

| method   |                 sparsity=0.5 |     sparsity=0.9 |
|:---------|-----------------------------:|-----------------:|
| dense    |             98.0 ± 1.0 (n=3) | 98.0 ± 1.0 (n=3) |
| rigl     | 90.5 ± 0.7 (n=2) [1: 1 of 2] |                – |

[1] fewer than 10 topology \\| updates
"""  # noqa: RUF001 - the dash of a missing cell


def test_markdown_of_a_small_report(report):
    assert render(report, "md") == {"tables.md": MARKDOWN}


def test_a_key_of_the_node_stands_in_a_column_without_the_node():
    found = results(({"sparsity": 0.5, "ood.ood": "noise"}, 0.9), node="ood", metric="auroc")
    sheet = sheet_of(fill(Table((), ("ood.ood", "sparsity"), "ood.auroc"), found))
    assert sheet.header == ("ood=noise sparsity=0.5",)


def notes_of(value, **epochs):
    """The notes below a table of networks that were trained so long, by method; None: there is no result."""
    trials = [({"method": method}, None if count is None else 0.9) for method, count in epochs.items()]
    counts = {index: count for index, count in enumerate(epochs.values()) if count is not None}
    node, _, metric = value.partition(".")
    found = results(*trials, node=node, metric=metric, epochs=counts)
    return sheet_of(fill(Table(("method",), (), value), found)).notes


def test_a_note_says_that_networks_of_a_table_were_trained_for_different_numbers_of_epochs():
    assert notes_of("clean.accuracy", dense=30.0, rigl=90.0, pruned=45.0) == (NOTE.format("30 to 90"),)
    assert notes_of("clean.accuracy", dense=30.0, rigl=30.0) == ()
    assert notes_of("clean.accuracy", dense=30.0, rigl=None) == ()


def test_a_table_of_the_epochs_themselves_has_no_such_note():
    assert notes_of("model.epochs", dense=30.0, rigl=45.0) == ()


def test_the_note_stands_below_the_footnotes_and_its_numbers_are_in_json():
    found = results(
        ({"method": "dense"}, 0.9),
        ({"method": "rigl"}, 0.8),
        warnings={1: ("few updates",)},
        epochs={0: 30.0, 1: 45.0},
    )
    report = Report("small", found, [fill(Table(("method",), (), "clean.accuracy"), found)])
    assert render(report, "md")["tables.md"].endswith(f"\n\n[1] few updates\n\n{NOTE.format('30 to 45')}\n")
    assert json.loads(render(report, "json")["results.json"])["tables"][0]["epochs"] == [30.0, 45.0]


def test_the_caption_says_over_what_a_mean_was_taken_first():
    found = results(*(({"method": "m", "ood.ood": name}, 0.9) for name in "ab"), node="ood", metric="auroc")
    sheet = sheet_of(fill(Table(("method",), (), "ood.auroc", average=("ood.ood",)), found))
    assert sheet.caption == "Mean ± sample standard deviation over seed of means over ood.ood, n=1."


def test_without_columns_the_metric_is_the_header():
    found = results(({"method": "m"}, 0.9))
    assert sheet_of(fill(Table(("method",), (), "clean.accuracy"), found)).header == (
        "method",
        "test.accuracy",
    )


def test_csv_has_every_number_unrounded(report):
    files = render(report, "csv")
    assert list(files) == ["results.csv", "table-1-clean.test.accuracy.csv"]
    rows = list(csv.DictReader(io.StringIO(files["results.csv"])))
    assert [row["value"] for row in rows] == ["0.97", "0.98", "0.99", "0.9", "0.91"]
    assert rows[3] == {
        "method": "rigl",
        "sparsity": "0.5",
        "seed": "0",
        "node": "clean",
        "metric": "test.accuracy",
        "value": "0.9",
        "address": "0000000000000003",
        "warnings": "fewer than 10 topology | updates",
        "stale": "False",
    }
    cells = list(csv.DictReader(io.StringIO(files["table-1-clean.test.accuracy.csv"])))
    assert [(cell["method"], cell["sparsity"], cell["n"], cell["planned"]) for cell in cells] == [
        ("dense", "0.5", "3", "3"),
        ("dense", "0.9", "3", "3"),
        ("rigl", "0.5", "2", "3"),
        ("rigl", "0.9", "0", "1"),
    ]
    assert cells[3]["mean"] == cells[3]["deviation"] == ""


def test_json_keeps_the_types_of_the_axes(report):
    content = json.loads(render(report, "json")["results.json"])
    assert content["name"] == "small"
    assert content["tables"][0]["cells"][2] == {
        "row": {"method": "rigl"},
        "column": {"sparsity": 0.5},
        "mean": pytest.approx(0.905),
        "deviation": pytest.approx(0.00707106781),
        "n": 2,
        "planned": 3,
        "values": [0.9, 0.91],
        "notes": {"fewer than 10 topology | updates": 1},
    }
    assert content["rows"][0]["sparsity"] is None
    assert len(content["rows"]) == 5


@pytest.mark.parametrize("name", known_formats())
def test_every_format_writes_named_files_even_without_results(name):
    files = render(Report("empty", results(), []), name)
    assert files and all(isinstance(content, str | bytes) for content in files.values())


def test_an_unknown_format_names_the_known_ones(report):
    with pytest.raises(InputError, match=r"unknown format 'markdown'.*csv, json, md"):
        render(report, "markdown")


def test_files_are_written_where_they_are_asked_for(report, tmp_path):
    written = write(render(report, "csv"), tmp_path / "deep" / "folder")
    assert [path.name for path in written] == ["results.csv", "table-1-clean.test.accuracy.csv"]
    assert written[0].read_text() == render(report, "csv")["results.csv"]


def test_a_place_that_cannot_be_written_is_an_input_error(report, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot write the report"):
        write(render(report, "csv"), tmp_path / "file")


@pytest.mark.parametrize(
    ("values", "percent", "text"),
    [
        ((0.931, 0.933, 0.929), True, "93.1 ± 0.2 (n=3)"),
        ((0.931,), True, "93.1 (n=1)"),
        ((), True, ABSENT),
        ((0.13, 0.131), False, "0.1305 ± 0.00071 (n=2)"),
        ((1000.0, 1100.0), False, "1050 ± 71 (n=2)"),
        ((7.0, 7.0), False, "7 ± 0 (n=2)"),
        ((2.0, 4.0), False, "3 ± 1.4 (n=2)"),
    ],
)
def test_a_number_travels_with_its_spread_and_its_n(values, percent, text):
    assert cell_text(Cell(values, 3, {}), percent) == text


@pytest.mark.parametrize(
    ("metric", "percent"),
    [
        ("test.accuracy", True),
        ("clean.test.accuracy", True),
        ("ood.ccr_1e-4", True),
        ("test.certified_0.25", True),
        ("test.adaptive_ece_scaled", True),
        ("test.excess_aurc", True),
        ("model.channels_left", True),
        ("test.nll", False),
        ("model.parameters", False),
        ("temperature", False),
    ],
)
def test_fractions_are_known_by_their_names(metric, percent):
    assert in_percent([metric]) is percent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (35.0, "35"),
        (1234.56, "1235"),
        (0.5, "0.5000"),
        (1.5e-7, "1.500e-07"),
        (-2.25, "-2.250"),
    ],
)
def test_a_number_has_four_digits_and_a_whole_one_is_whole(value, text):
    assert number(value) == text
