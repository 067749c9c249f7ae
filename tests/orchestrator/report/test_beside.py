"""Several values beside each other: what stands where, what a value lacks, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_results import results
from toys.base import TOY, write

from orchestrator.errors import InputError
from orchestrator.report.beside import beside
from orchestrator.report.rows import ABSENT
from orchestrator.spec.sweep import Beside

ENTRY = Beside(values=("clean.accuracy", "ood.auroc"), rows=("method",))


def merged(*parts):
    """Results of several nodes as one sweep's."""
    first = parts[0]
    return replace(
        first,
        planned=[planned for part in parts for planned in part.planned],
        manifests={address: found for part in parts for address, found in part.manifests.items()},
        nodes=tuple(node for part in parts for node in part.nodes),
        warnings={address: texts for part in parts for address, texts in part.warnings.items()},
    )


def outputs(prefix, *values):
    """One output for each method, seed and value, at addresses of its own."""
    return [({**keys, "address": f"{prefix}{place}"}, value) for place, (keys, value) in enumerate(values)]


def two_nodes(**more):
    dense, rigl = {"method": "dense"}, {"method": "rigl"}
    clean = outputs(
        "c",
        ({**dense, "seed": 0}, 0.9),
        ({**dense, "seed": 1}, 0.8),
        ({**rigl, "seed": 0}, 0.5),
        ({**rigl, "seed": 1}, None),
    )
    far = outputs(
        "o",
        ({**rigl, "ood.detector": "msp", "seed": 0}, 0.75),
        ({**rigl, "ood.detector": "knn", "seed": 0}, 0.25),
    )
    return merged(results(*clean, **more), results(*far, node="ood", metric="auroc"))


def test_each_value_has_its_columns_and_a_missing_one_is_a_dash():
    entry = replace(ENTRY, where={"ood.detector": "msp"})
    sheet = beside(entry, two_nodes()).sheet()
    assert sheet.title == "clean.test.accuracy, ood.auroc"
    assert sheet.header == ("method", "clean.test.accuracy (%)", "ood.auroc (%)")
    assert sheet.lines == (
        ("dense", "85.0 ± 7.1 (n=2)", ABSENT),
        ("rigl", "50.0 (n=1)", "75.0 (n=1)"),
    )
    assert "n=1 to 2" in sheet.caption
    assert "1 of 5 results are missing" in sheet.caption


def test_columns_repeat_under_each_value():
    found = beside(replace(ENTRY, rows=(), columns=("method",), where={"ood.detector": "knn"}), two_nodes())
    assert found.sheet().header == (
        "clean.test.accuracy (%) method=dense",
        "clean.test.accuracy (%) method=rigl",
        "ood.auroc (%) method=rigl",
    )
    assert found.sheet().lines == (("85.0 ± 7.1 (n=2)", "50.0 (n=1)", "25.0 (n=1)"),)


def test_a_note_is_numbered_once_for_all_values():
    entry = replace(ENTRY, where={"ood.detector": "msp"})
    sheet = beside(entry, two_nodes(warnings={0: ("odd",), 2: ("odd", "rare")})).sheet()
    assert [line[1] for line in sheet.lines] == ["85.0 ± 7.1 (n=2) [1: 1 of 2]", "50.0 (n=1) [1] [2]"]
    assert sheet.notes == ("[1] odd", "[2] rare")


def test_the_numbers_come_out_unrounded_line_by_line():
    head, *lines = beside(replace(ENTRY, where={"ood.detector": "msp"}), two_nodes()).lines()
    assert head == ["value", "method", "mean", "deviation", "n", "planned", "notes"]
    assert [(line[0], line[1], line[4]) for line in lines] == [
        ("clean.test.accuracy", "dense", 2),
        ("clean.test.accuracy", "rigl", 1),
        ("ood.auroc", "rigl", 1),
    ]


def test_several_results_in_one_line_are_refused_with_the_key_that_parts_them():
    with pytest.raises(InputError, match=r"t: ood\.detector must stand in rows, columns, average or where"):
        beside(ENTRY, two_nodes(), "t")


def test_every_format_has_the_values_of_a_sweep(here, command):
    write(here, TOY + "  - {values: [clean.accuracy, model.loss], rows: method, columns: sparsity}\n")
    code, out, err = command("run", "toy.yaml", "--engine", "inline")
    assert (code, [line for line in err.splitlines() if "tables" in line]) == (0, [])
    (title,) = (line for line in out.splitlines() if line.startswith("## clean.test.accuracy, "))
    assert title == "## clean.test.accuracy, model.validation.loss"


def test_a_wrong_value_is_told_where_it_stands_and_before_anything_runs(here, command):
    write(here, TOY + "  - {values: [clean.accuracy, claen.ece, clean], rows: [method, sparsty]}\n")
    code, out, err = command("plan", "toy.yaml")
    assert (code, out) == (2, "")
    assert "toy.yaml: tables[2].values: unknown node 'claen'. Did you mean 'clean'?" in err
    assert "toy.yaml: tables[2].values: must be node.metric, such as clean.accuracy, got 'clean'" in err
    assert err.count("unknown key 'sparsty'") == 1
