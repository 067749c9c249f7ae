"""How much of the variance of results each factor explains, from hand-made results to every format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from hand_results import results

from orchestrator.errors import InputError
from orchestrator.report.explain import explain
from orchestrator.report.explain_sheet import caption, notes
from orchestrator.report.render import Report, render
from orchestrator.spec.sweep import Explain

ENTRY = Explain(("method", "sparsity"), "clean.accuracy")


def layout(*more, skip=(), **options):
    """Two methods at two sparsities with two seeds, each 0.1 to either side of the mean."""
    means = {("a", 0.5): 0.5, ("a", 0.9): 0.3, ("b", 0.5): 0.7, ("b", 0.9): 0.9}
    trials = [
        ({"method": method, "sparsity": sparsity, "seed": seed}, mean + (0.1 if seed else -0.1))
        for (method, sparsity), mean in means.items()
        for seed in (0, 1)
    ]
    return results(
        *((keys, None if index in skip else value) for index, (keys, value) in enumerate(trials)),
        *more,
        **{"order": {"method": ["a", "b"], "sparsity": ["0.5", "0.9"], "seed": ["0", "1"]}, **options},
    )


def squares(found):
    """Source -> sum of squares and degrees of freedom, in a table of one row."""
    (analysis,) = found.analyses.values()
    return {source.name: (pytest.approx(source.squares), source.degrees) for source in analysis.sources}


def test_factors_their_interaction_and_the_spread_over_seeds_make_the_variance():
    found = explain(ENTRY, layout())
    # means of methods 0.4 and 0.8, of sparsities 0.6 and 0.6, of all 0.6
    assert squares(found) == {
        "method": (8 * 0.2**2, 1),
        "sparsity": (0.0, 1),
        "method × sparsity": (8 * 0.1**2, 1),  # noqa: RUF001
        "residual": (8 * 0.1**2, 4),
    }
    assert caption(found) == (
        "Analysis of variance, n=8: 4 cells with n=2 each. Classical sums of squares of a balanced layout. "
        "η² is the share of the total, ω² the same less what chance gives (below 0: nothing)."
    )
    assert list(notes(found)) == ["The residual is the spread inside cells, over seed."]


def test_a_missing_result_makes_the_layout_unbalanced_and_is_said():
    found = explain(ENTRY, layout(skip=(3,)))
    (analysis,) = found.analyses.values()
    assert (analysis.n, analysis.counts, analysis.balanced) == (7, (2, 1, 2, 2), False)
    said = caption(found)
    assert "n=7: 4 cells with n=1 to 2 each. Not balanced: type II sums of squares" in said
    assert said.endswith("Incomplete: 1 of 8 results are missing.")


def test_before_there_are_results_there_are_no_lines():
    found = explain(ENTRY, layout(skip=range(8)))
    assert found.sheet().lines == ()
    assert caption(found) == "Analysis of variance, no results yet. Incomplete: 8 of 8 results are missing."


def test_a_key_that_varies_inside_the_cells_becomes_a_row_header():
    trials = [
        ({"dataset": dataset, "method": method, "seed": seed}, base + 0.1 * seed + effect)
        for dataset, base in (("digits", 0.1), ("glyphs", 0.5))
        for method, effect in (("a", 0.0), ("b", 0.2))
        for seed in (0, 1)
    ]
    found = explain(Explain(("method",), "clean.accuracy"), results(*trials))
    assert found.added == ("dataset",)
    assert list(found.analyses) == [("digits",), ("glyphs",)]
    # the difference of the data sets is in neither
    assert all(
        analysis.total == pytest.approx(4 * 0.1**2 + 4 * 0.05**2) for analysis in found.analyses.values()
    )
    assert found.sheet().header[:2] == ("dataset", "source")
    assert [line[:2] for line in found.sheet().lines][2:] == [("glyphs", "method"), ("glyphs", "residual")]
    asked = explain(Explain(("method",), "clean.accuracy", ("dataset",)), results(*trials))
    assert (asked.added, asked.analyses) == ((), found.analyses)


def test_a_trial_without_an_axis_counts_once_and_in_no_comparison_of_it():
    dense = [({"method": "dense", "seed": seed}, 0.9 + 0.02 * seed) for seed in (0, 1)]
    found = explain(ENTRY, layout(*dense))
    (analysis,) = found.analyses.values()
    assert analysis.n == 10
    # the sparsities of a and b alone, whose means are equal
    assert squares(found)["sparsity"] == (0.0, 1)
    assert squares(found)["method"][1] == 2
    assert found.lacking == ("sparsity",)
    assert any(text.startswith("Results without sparsity take no part in comparing") for text in notes(found))


def test_a_stage_that_stands_in_several_cells_counts_once():
    trials = [
        # the accuracy of a network does not depend on the attack that comes later
        (
            {"method": method, "epsilon": epsilon, "seed": seed, "address": f"{method}{seed}" * 8},
            value + 0.1 * seed,
        )
        for method, value in (("a", 0.1), ("b", 0.5))
        for epsilon in (1, 2, 3)
        for seed in (0, 1)
    ]
    found = explain(Explain(("method", "epsilon"), "clean.accuracy"), results(*trials))
    (analysis,) = found.analyses.values()
    assert (analysis.n, found.shared) == (4, 4)
    assert squares(found) == {"method": (4 * 0.2**2, 1), "residual": (4 * 0.05**2, 2)}
    said = list(notes(found))
    assert "epsilon has fewer than two values among the results, and explains nothing." in said
    assert any(
        text.startswith("4 of 4 results come from one stage that several cells share") for text in said
    )


def test_an_ensemble_over_all_seeds_is_one_result_of_its_cell():
    trials = [
        ({"method": method, "seed": seed, "address": method * 16}, value)
        for method, value in (("a", 0.1), ("b", 0.5))
        for seed in range(3)
    ]
    found = explain(Explain(("method",), "clean.accuracy"), results(*trials))
    (analysis,) = found.analyses.values()
    assert (analysis.counts, found.shared) == ((1, 1), 0)


def test_results_made_from_the_same_network_are_said_not_to_be_independent():
    read = {"model": {"address": "d" * 16, "digest": "x"}}
    found = layout()
    manifests = {
        address: replace(manifest, inputs=read if index in (0, 2, 5) else {})
        for index, (address, manifest) in enumerate(found.manifests.items())
    }
    explained = explain(ENTRY, replace(found, manifests=manifests))
    assert explained.related == 3
    assert any(text.startswith("3 of 8 results were made from something") for text in notes(explained))


def test_results_of_one_cell_that_share_their_origin_are_not_counted():
    read = {"model": {"address": "d" * 16, "digest": "x"}}
    found = layout()
    manifests = {
        address: replace(manifest, inputs=read if index in (0, 1) else {})
        for index, (address, manifest) in enumerate(found.manifests.items())
    }
    assert explain(ENTRY, replace(found, manifests=manifests)).related == 0
    # nor are those of cells that are taken apart by themselves
    apart = Explain(("sparsity",), "clean.accuracy", ("method",))
    across = {
        address: replace(manifest, inputs=read if index in (0, 4) else {})
        for index, (address, manifest) in enumerate(found.manifests.items())
    }
    assert explain(apart, replace(found, manifests=across)).related == 0
    assert explain(ENTRY, replace(found, manifests=across)).related == 2


def test_means_over_a_key_are_taken_first():
    trials = [
        ({"method": method, "seed": seed, "clean.ood": name}, value + 0.1 * seed + far)
        for method, value in (("a", 0.1), ("b", 0.3))
        for seed in (0, 1)
        for name, far in (("near", 0.0), ("far", 0.4))
    ]
    entry = Explain(("method",), "clean.accuracy", average=("clean.ood",))
    found = explain(entry, results(*trials))
    assert squares(found) == {"method": (4 * 0.1**2, 1), "residual": (4 * 0.05**2, 2)}
    assert caption(found).startswith("Analysis of variance (means over clean.ood), n=4")


def test_a_seed_among_the_factors_takes_its_part_out_of_the_residual():
    found = explain(Explain(("method", "sparsity", "seed"), "clean.accuracy", over=()), layout())
    assert squares(found)["seed"] == (8 * 0.1**2, 1)
    (analysis,) = found.analyses.values()
    assert analysis.pooled == "higher interactions"


def test_warnings_stale_results_and_epochs_are_said_below():
    found = explain(ENTRY, layout(warnings={0: ("odd",), 4: ("odd",)}, stale=(1,), epochs={0: 30.0, 1: 45.0}))
    said = list(notes(found))
    assert "2 of 8 results: odd" in said
    assert any(text.startswith("1 of 8 results: stale") for text in said)
    assert said[-1].startswith("The networks of this table had 30 to 45 epochs")


MARKDOWN = """\
# small

## clean.test.accuracy explained

Analysis of variance, n=8: 4 cells with n=2 each. Classical sums of squares of a balanced layout. \
η² is the share of the total, ω² the same less what chance gives (below 0: nothing).

| source            |   η² (%) |   ω² (%) |   df |     F |     p |
|:------------------|---------:|---------:|-----:|------:|------:|
| method            |     66.7 |     60.0 |    1 | 16.00 | 0.016 |
| sparsity          |      0.0 |     -4.0 |    1 |  0.00 | 1.000 |
| method × sparsity |     16.7 |     12.0 |    1 |  4.00 | 0.116 |
| residual          |     16.7 |        – |    4 |     – |     – |

The residual is the spread inside cells, over seed.
"""  # noqa: RUF001 - signs of a table


@pytest.fixture
def report():
    found = layout()
    return Report("small", found, [explain(ENTRY, found)])


def test_markdown(report):
    assert render(report, "md")["tables.md"] == MARKDOWN


def test_csv_has_a_line_a_source_unrounded(report):
    files = render(report, "csv")
    assert list(files) == ["results.csv", "table-1-clean.test.accuracy_explained.csv"]
    lines = list(csv.DictReader(io.StringIO(files["table-1-clean.test.accuracy_explained.csv"])))
    assert [line["source"] for line in lines] == ["method", "sparsity", "method × sparsity", "residual"]  # noqa: RUF001
    assert float(lines[0]["eta_squared"]) == pytest.approx(2 / 3)
    assert float(lines[0]["squares"]) == pytest.approx(0.32)
    assert (lines[3]["f"], lines[3]["df"], lines[3]["n"], lines[3]["balanced"]) == ("", "4", "8", "True")


def test_json_has_the_analysis_and_what_was_asked_for(report):
    (content,) = json.loads(render(report, "json")["results.json"])["tables"]
    assert content["explain"] == ["method", "sparsity"]
    (analysis,) = content["analyses"]
    assert (analysis["row"], analysis["n"], analysis["counts"]) == ({}, 8, [2, 2, 2, 2])
    assert analysis["total"] == pytest.approx(0.48)
    assert analysis["sources"][0]["omega_squared"] == pytest.approx((0.32 - 0.02) / 0.5)
    assert analysis["sources"][3]["p"] is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (replace(ENTRY, factors=("metod",)), "unknown key 'metod'. Did you mean 'method'?"),
        (replace(ENTRY, value="clean.acuracy"), "unknown metric 'acuracy'"),
        (replace(ENTRY, value="claen.accuracy"), "unknown node 'claen'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(entry, message):
    with pytest.raises(InputError, match="here") as caught:
        explain(entry, layout(), "here")
    assert message in str(caught.value)
