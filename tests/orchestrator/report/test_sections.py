"""Entries that explain and that choose, from a sweep file to what commands print."""

from __future__ import annotations

import json

import pytest
from toys.base import TOY, write

SECTIONS = """\
  - {explain: [method, sparsity], value: clean.accuracy}
  - {best: sparsity, value: clean.accuracy, rows: method, where: {far.scale: 0.2},
     within: {value: far.accuracy, points: 100, of: {method: dense}}}
"""


@pytest.fixture
def sections(here):
    """The toy sweep with an entry of each kind more."""
    write(here, TOY + SECTIONS)


def test_run_ends_with_the_sections_and_report_prints_the_same(sections, command):
    code, out, _ = command("run", "toy.yaml", "--engine", "inline")
    assert code == 0
    titles = [line for line in out.splitlines() if line.startswith("## ")]
    assert titles[2:] == ["## clean.test.accuracy explained", "## best sparsity by clean.test.accuracy"]
    code, report, err = command("report", "toy.yaml")
    assert (code, err) == (0, "")
    assert report == f"# toy\n\n{out}"
    # a toy network is worth what was grown, and cut to its sparsity: (0.9 - seed / 100) x 0.01 x sparsity
    assert "| sparse   | 0.9" in out
    assert "9 of 9 results were made from something that results of other cells were made from too" in out


def test_every_format_has_the_sections(sections, ran):
    tables = json.loads(ran("report", "toy.yaml", "--format", "json")[1])["tables"]
    assert [next(iter(table)) for table in tables] == ["value", "value", "explain", "best"]
    (analysis,) = tables[2]["analyses"]
    assert [source["source"] for source in analysis["sources"]] == ["method", "sparsity", "residual"]
    assert [source["df"] for source in analysis["sources"]] == [1, 1, 6]
    assert tables[3]["choices"][0]["chosen"] == 0.9
    _, _, err = ran("report", "toy.yaml", "--format", "csv", "--output", "tables")
    assert "wrote tables/table-3-clean.test.accuracy_explained.csv" in err
    assert "wrote tables/table-4-best_sparsity_by_clean.test.accuracy.csv" in err


def test_before_a_run_there_is_a_report_without_numbers(sections, command, here):
    (here / "results").mkdir()
    code, out, _ = command("report", "toy.yaml")
    assert code == 0
    assert "Analysis of variance, no results yet." in out
    assert "no results yet" in out.partition("## best")[2]


def test_a_wrong_entry_stops_a_run_before_it_starts(here, command):
    write(here, TOY + "  - {explain: [sparsty], value: clean.accuracy}\n")
    code, out, err = command("run", "toy.yaml", "--engine", "inline")
    assert (code, out) == (2, "")
    assert err.startswith("toy.yaml: tables[2].explain: unknown key 'sparsty'. Did you mean 'sparsity'?")
    assert not (here / "results").exists()


def test_a_wrong_metric_is_told_beside_what_can_be_made(here, command):
    write(here, TOY + SECTIONS.replace("value: far.accuracy", "value: far.acuracy"))
    command("run", "toy.yaml", "--engine", "inline")
    code, out, err = command("report", "toy.yaml")
    assert code == 2
    assert err.startswith(
        "toy.yaml: tables[3].within.value: unknown metric 'acuracy'. Did you mean 'test.accuracy'?"
    )
    assert "explained" in out


def test_a_selection_without_the_reference_is_told(sections, ran):
    code, out, err = ran("report", "toy.yaml", "--where", "method=sparse")
    assert code == 2
    assert err == "toy.yaml: tables[3].within.of: no trial has method=dense and otherwise the axes of a row\n"
    assert "method has fewer than two values among the results, and explains nothing." in out


def test_sections_of_which_nothing_is_planned_say_so(here, command):
    none = "where: {sparsity: [0.5, 0.9], method: dense}}\n"  # dense has no sparsity
    write(
        here,
        f"{TOY}  - {{explain: [sparsity, seed], value: clean.accuracy, {none}"
        f"  - {{best: seed, value: clean.accuracy, over: [], {none}",
    )
    code, out, _ = command("run", "toy.yaml", "--engine", "inline")
    assert code == 0
    assert out.count("The plan has nothing of this. Only sparsity=") == 2


def test_a_value_that_no_trial_has_is_warned_of_before_a_run(here, command):
    write(
        here,
        TOY.replace("value: clean.accuracy}", "value: clean.accuracy, where: {method: [dense, sparce]}}"),
    )
    code, _, err = command("plan", "toy.yaml")
    said = "tables[0].where.method: unknown value 'sparce'. Did you mean 'sparse'? Known: dense, sparse"
    assert (code, err) == (0, f"toy.yaml: {said}\n")
