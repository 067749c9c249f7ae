"""Which value of an axis is best within reach of a reference, from hand-made results to every format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from hand_results import manifest

from orchestrator.errors import InputError
from orchestrator.report.best import choose
from orchestrator.report.candidates import AHEAD, ALONE, TIE
from orchestrator.report.render import Report, render
from orchestrator.report.rows import Planned, Results
from orchestrator.spec.sweep import Best, Within

DENSE = Within("clean.accuracy", 1.0, {"method": "dense"})
ENTRY = Best("sparsity", "ood.auroc", ("method",), within=DENSE)


def networks(*trials, each=({},), **more):
    """Results of networks: keys, accuracy and AUROC of each; None is missing."""
    planned, manifests = [], {}
    for keys, accuracy, auroc in trials:
        outputs = [("clean", {}, "test.accuracy", accuracy)]
        outputs += [("ood", {f"ood.{key}": own[key] for key in own}, "auroc", auroc) for own in each]
        for node, own, metric, value in outputs:
            address = f"{len(planned):016x}"
            planned.append(Planned({**keys, **own}, node, address))
            if value is not None:
                manifests[address] = manifest(address, {metric: value})
    order = {"method": ["dense", "rigl", "magnitude"], "sparsity": ["0.5", "0.8", "0.9"], "seed": ["0", "1"]}
    return Results(planned, manifests, order=order, nodes=("clean", "ood"), **more)


def seeds(accuracy, auroc, **keys):
    """Two seeds around these means."""
    return [({**keys, "seed": seed}, accuracy, auroc + (0.01 if seed else -0.01)) for seed in (0, 1)]


DENSES = seeds(0.95, 0.80, method="dense")
RIGL = [
    *seeds(0.95, 0.81, method="rigl", sparsity=0.5),
    *seeds(0.94, 0.90, method="rigl", sparsity=0.8),
    *seeds(0.93, 0.99, method="rigl", sparsity=0.9),
]


def chosen(found):
    """Row -> the value that was chosen."""
    return {row: choice.best.header if choice.best else None for row, choice in found.choices.items()}


def test_the_best_is_chosen_among_those_within_points_of_the_reference():
    # 0.9 has the best AUROC and lost two points; exactly one point is within one
    found = choose(ENTRY, networks(*DENSES, *RIGL))
    assert chosen(found) == {("rigl",): "0.8"}
    best = found.choices["rigl",].best
    assert (best.near.mean, best.reference.mean, best.cell.n) == (0.94, 0.95, 2)
    assert [candidate.in_reach for candidate in found.choices["rigl",].candidates] == [True, True, False]


def test_more_points_reach_further_and_none_at_all_ask_for_nothing():
    wide = replace(ENTRY, within=replace(DENSE, points=2.0))
    assert chosen(choose(wide, networks(*DENSES, *RIGL))) == {("rigl",): "0.9"}
    assert chosen(choose(replace(ENTRY, within=None), networks(*DENSES, *RIGL))) == {("rigl",): "0.9"}


def test_a_row_of_which_nothing_is_within_reach_says_so():
    poor = [
        *seeds(0.5, 0.9, method="magnitude", sparsity=0.5),
        *seeds(0.4, 0.9, method="magnitude", sparsity=0.8),
    ]
    sheet = choose(ENTRY, networks(*DENSES, *RIGL, *poor)).sheet()
    assert sheet.lines == (
        (
            "rigl",
            "0.8",
            "90.0 ± 1.4 (n=2)",
            "94.0 ± 0.0 (n=2)",
            "95.0 ± 0.0 (n=2)",
            "2 of 3",
            "0.5: 81.0 ± 1.4 (n=2)",
        ),
        ("magnitude", "none in reach", "–", "–", "95.0 ± 0.0 (n=2)", "0 of 2", "–"),  # noqa: RUF001
    )
    assert sheet.header == (
        *("method", "sparsity", "ood.auroc (%)", "clean.test.accuracy (%)", "reference", "in reach"),
        "runner-up",
    )


def test_the_reference_has_the_same_other_axes():
    trials = []
    for dataset, accuracy in (("digits", 0.95), ("glyphs", 0.6)):
        trials += seeds(accuracy, 0.8, method="dense", dataset=dataset)
        trials += seeds(accuracy - 0.005, 0.8, method="rigl", sparsity=0.5, dataset=dataset)
        trials += seeds(accuracy - 0.03, 0.9, method="rigl", sparsity=0.9, dataset=dataset)
    found = choose(ENTRY, networks(*trials))
    assert found.added == ("dataset",)
    assert chosen(found) == {("rigl", "digits"): "0.5", ("rigl", "glyphs"): "0.5"}
    references = [choice.best.reference.mean for choice in found.choices.values()]
    assert references == [pytest.approx(0.95), pytest.approx(0.6)]


def test_a_reference_that_has_the_axis_itself_is_that_of_the_same_value():
    control = [
        *seeds(0.99, 0.5, method="dense", sparsity=0.5),
        *seeds(0.93, 0.5, method="dense", sparsity=0.9),
    ]
    found = choose(replace(ENTRY, where={"method": "rigl"}), networks(*control, *RIGL))
    # 0.95 is four points below 0.99; at 0.8 there is no reference; 0.93 is the reference itself
    assert chosen(found) == {("rigl",): "0.9"}


def test_a_level_of_the_axis_itself_can_be_the_reference():
    of = replace(ENTRY, within=replace(DENSE, of={"sparsity": 0.5}))
    found = choose(of, networks(*RIGL))
    assert chosen(found) == {("rigl",): "0.8"}
    assert found.choices["rigl",].best.reference.mean == 0.95


def test_the_direction_is_that_of_the_metric_unless_it_is_given():
    results = networks(*DENSES, *RIGL)
    for planned in results.planned:
        if planned.node == "ood":
            found = results.manifests[planned.address]
            results.manifests[planned.address] = replace(found, metrics={"fpr95": found.metrics["auroc"]})
    entry = replace(ENTRY, value="ood.fpr95")
    assert chosen(choose(entry, results)) == {("rigl",): "0.5"}
    assert chosen(choose(replace(entry, better="higher"), results)) == {("rigl",): "0.8"}
    assert chosen(choose(replace(entry, better="lower"), results)) == {("rigl",): "0.5"}


def test_less_of_an_error_may_lie_below_and_not_above_the_reference():
    error = replace(ENTRY, within=replace(DENSE, better="lower"))
    found = choose(error, networks(*DENSES, *seeds(0.97, 0.9, method="rigl", sparsity=0.5)))
    assert chosen(found) == {("rigl",): None}


def test_a_tie_and_a_small_lead_are_said():
    close = networks(
        *DENSES,
        *seeds(0.95, 0.90, method="rigl", sparsity=0.5),
        *seeds(0.95, 0.91, method="rigl", sparsity=0.8),
        *seeds(0.95, 0.88, method="magnitude", sparsity=0.5),
        *seeds(0.95, 0.88, method="magnitude", sparsity=0.8),
    )
    found = choose(ENTRY, close)
    assert chosen(found) == {("rigl",): "0.8", ("magnitude",): "0.5"}
    sheet = found.sheet()
    assert [line[1] for line in sheet.lines] == ["0.8 [1]", "0.5 [2]"]
    assert sheet.notes == (f"[1] {AHEAD}", f"[2] {TIE}")


def test_a_lead_of_more_than_a_deviation_is_not_doubted():
    assert choose(ENTRY, networks(*DENSES, *RIGL)).choices["rigl",].doubt is None


def test_a_lead_of_single_results_is_doubted_whatever_its_size():
    single = [trial for trial in [*DENSES, *RIGL] if trial[0]["seed"] == 0]
    assert choose(ENTRY, networks(*single)).choices["rigl",].doubt == ALONE


def test_what_has_no_result_yet_is_not_chosen_and_the_caption_counts_it():
    waiting = [(keys, accuracy, None if keys["sparsity"] == 0.8 else auroc) for keys, accuracy, auroc in RIGL]
    found = choose(ENTRY, networks(*DENSES, *waiting))
    assert chosen(found) == {("rigl",): "0.5"}
    # 6 AUROCs, 6 accuracies and 2 of the reference
    assert (found.missing, found.planned) == (2, 14)
    assert "Incomplete: 2 of 14 results are missing." in found.sheet().caption


def test_before_there_are_results_every_row_says_that_there_are_none():
    empty = [(keys, None, None) for keys, _, _ in [*DENSES, *RIGL]]
    assert choose(ENTRY, networks(*empty)).sheet().lines[0][:2] == ("rigl", "no results yet")
    no_reference = [(keys, None, auroc) for keys, _, auroc in DENSES]
    assert choose(ENTRY, networks(*no_reference, *RIGL)).sheet().lines[0][1] == "no reference yet"


def test_keys_of_the_node_are_rows_and_are_picked():
    each = ({"ood": "noise", "detector": "msp"}, {"ood": "noise", "detector": "energy"})
    found = networks(*DENSES, *RIGL, each=each)
    entry = replace(ENTRY, rows=("method", "ood.ood"), where={"ood.detector": "msp"})
    assert chosen(choose(entry, found)) == {("rigl", "noise"): "0.8"}
    assert choose(replace(ENTRY, rows=("method",)), found).rows == ("method", "ood.detector")


def test_a_key_of_the_node_can_be_what_is_chosen():
    trials = [*DENSES, *RIGL]
    found = networks(*trials, each=({"detector": "msp"}, {"detector": "energy"}))
    better = {p.address for p in found.planned if p.keys.get("ood.detector") == "energy"}
    for address in better:
        value = found.manifests[address].metrics["auroc"]
        found.manifests[address] = manifest(address, {"auroc": value + 0.005})
    entry = replace(ENTRY, axis="ood.detector", rows=("method", "sparsity"))
    assert set(chosen(choose(entry, found)).values()) == {"energy", None}
    assert chosen(choose(entry, found))["rigl", "0.8"] == "energy"


def test_the_caption_says_what_was_chosen_how_and_that_it_is_no_model_selection():
    found = choose(replace(ENTRY, where={"seed": [0, 1]}), networks(*DENSES, *RIGL)).sheet()
    assert found.title == "best sparsity by ood.auroc"
    assert found.caption == (
        "The sparsity with the highest mean ood.auroc, of those whose mean clean.test.accuracy is at most "
        "1 point below that of method=dense with the same other axes. Mean ± sample standard deviation over "
        "seed, n=2. Only seed=[0, 1]. The choice was made on the results that are shown: it describes them "
        "and selects no model; the best of several looks better than it is."
    )


def test_a_condition_on_seeds_holds_for_the_reference_too():
    trials = [*DENSES, ({"method": "dense", "seed": 2}, 0.1, 0.1), *RIGL]
    found = choose(replace(ENTRY, where={"seed": [0, 1]}), networks(*trials))
    assert found.choices["rigl",].best.reference.values == (0.95, 0.95)


def test_warnings_are_marked_where_their_numbers_stand():
    results = networks(*DENSES, *RIGL)
    reference = next(p.address for p in results.planned if p.keys["method"] == "dense" and p.node == "clean")
    found = choose(ENTRY, replace(results, warnings={reference: ("odd",)})).sheet()
    assert found.lines[0][4] == "95.0 ± 0.0 (n=2) [1: 1 of 2]"
    assert found.notes == ("[1] odd",)


@pytest.fixture
def report():
    found = networks(*DENSES, *RIGL)
    return Report("small", found, [choose(ENTRY, found)])


def test_markdown(report):
    found = render(report, "md")["tables.md"].splitlines()
    assert found[2] == "## best sparsity by ood.auroc"
    assert [cell.strip() for cell in found[8].strip("|").split("|")][:3] == [
        "rigl",
        "0.8",
        "90.0 ± 1.4 (n=2)",
    ]


def test_csv_has_a_line_a_candidate_unrounded(report):
    name = "table-1-best_sparsity_by_ood.auroc.csv"
    lines = list(csv.DictReader(io.StringIO(render(report, "csv")[name])))
    assert [(line["sparsity"], line["in_reach"], line["chosen"]) for line in lines] == [
        ("0.8", "True", "True"),
        ("0.5", "True", "False"),
        ("0.9", "False", "False"),
    ]
    assert [float(lines[0][key]) for key in ("mean", "within_mean", "reference_mean")] == pytest.approx(
        [0.9, 0.94, 0.95]
    )


def test_json_has_what_was_asked_for_and_every_candidate(report):
    (content,) = json.loads(render(report, "json")["results.json"])["tables"]
    assert content["best"] == "sparsity"
    assert content["within"] == {
        **{"value": "clean.accuracy", "points": 1.0, "of": {"method": "dense"}},
        "better": "higher",
    }
    (choice,) = content["choices"]
    assert (choice["row"], choice["chosen"], choice["doubt"]) == ({"method": "rigl"}, 0.8, None)
    assert [candidate["sparsity"] for candidate in choice["candidates"]] == [0.8, 0.5, 0.9]
    assert choice["candidates"][0]["reference"]["mean"] == 0.95


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (replace(ENTRY, axis="sparsty"), "here: unknown key 'sparsty'. Did you mean 'sparsity'?"),
        (replace(ENTRY, value="ood.aurok"), "here.value: unknown metric 'aurok'. Did you mean 'auroc'?"),
        (
            replace(ENTRY, within=replace(DENSE, value="claen.accuracy")),
            "here.within.value: unknown node 'claen'. Did you mean 'clean'?",
        ),
        (
            replace(ENTRY, within=replace(DENSE, of={"method": "dens"})),
            "here.within.of: no trial has method=dens and otherwise the axes of a row",
        ),
        (
            replace(ENTRY, within=replace(DENSE, of={"method": ["dense", "magnitude"]})),
            "here.within: method varies inside a cell; name one value of it in `within.of`",
        ),
        (
            replace(ENTRY, within=replace(DENSE, value="ood.auroc")),
            "here.within: ood.ood varies inside a cell; name one value of it in `where`",
        ),
        (replace(ENTRY, where={"method": "dense"}), "here.best: no trial of this table has sparsity"),
    ],
)
def test_what_cannot_be_chosen_is_one_clear_message(entry, message):
    found = networks(
        *DENSES, *seeds(0.9, 0.9, method="magnitude"), *RIGL, each=({"ood": "noise"}, {"ood": "textures"})
    )
    with pytest.raises(InputError) as caught:
        choose(entry, found, "here")
    assert str(caught.value).startswith(message)
