"""Calibration before and after temperature scaling, checked against plain computations on stored outputs."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

from orchestrator.errors import SpecError
from orchestrator.spec import load
from workloads.architectures.mlp import Mlp
from workloads.datasets.digits import Digits
from workloads.datasets.noise import Noise
from workloads.metrics.ece import ece
from workloads.metrics.probabilities import log_probabilities
from workloads.stages.calibrate import Calibrate
from workloads.stages.classify import Classify
from workloads.stages.features import Features

SWEEP = """
name: calibration
axes: {seed: [0]}
methods:
  dense: {model: {stage: train, dataset: digits, architecture: mlp, epochs: 1, seed: $seed}}
evaluate:
  features: {stage: features, reads: {model: model}, each: {split: [train, validation, test]}}
  trust:
    stage: calibrate
    reads: {inside: "features@{split: test}", validation: "features@{split: SPLIT}"}
"""


@pytest.fixture(scope="module")
def sides(shared_runs, trained):
    """The outputs of the network on its two splits that nothing was learned from."""
    inside, held = (
        shared_runs.output(Features(split=split), model=trained) for split in ("test", "validation")
    )
    return {"inside": inside, "validation": held}


@pytest.fixture(scope="module")
def unsure_sides(shared_runs):
    """The outputs of a network with an output for the unknown, made likely."""
    folder = shared_runs.output(shared_runs.small(architecture=Mlp(hidden=(30,), unknown_outputs=1)))
    unsure = shutil.copytree(folder, shared_runs.root / "unsure-to-calibrate")
    tensors = load_file(unsure / "model.safetensors")
    tensors["head.bias"][10] = 8.0  # far likelier than it learned to be
    save_file(tensors, unsure / "model.safetensors")
    inside, held = (
        shared_runs.output(Features(split=split), model=unsure) for split in ("test", "validation")
    )
    return {"network": unsure, "inside": inside, "validation": held}


def stored(folder):
    tensors = load_file(folder / "outputs.safetensors")
    return tensors["logits"].double(), tensors["labels"]


def changed(folder, to, logits):
    """A copy in which ``logits`` (a function) made new ones of the old logits and the labels."""
    shutil.copytree(folder, to)
    tensors = load_file(to / "outputs.safetensors")
    tensors["logits"] = logits(tensors["logits"], tensors["labels"]).contiguous()
    save_file(tensors, to / "outputs.safetensors")
    return to


@pytest.mark.parametrize("bins", [10, 15])
def test_calibrate_and_classify_agree_before_scaling(bins, runs, trained, sides):
    _, metrics = runs(Calibrate(bins=bins), **sides)
    _, expected = runs(Classify(bins=bins), model=trained)
    shared = expected.keys() & metrics.keys()
    assert shared == {"test.accuracy", "test.nll", "test.brier", "test.ece"}
    assert {name: metrics[name] for name in shared} == pytest.approx(
        {name: expected[name] for name in shared}
    )


def test_what_is_scaled_is_what_logits_divided_by_the_temperature_give(runs, sides):
    space, metrics = runs(Calibrate(), **sides)
    logits, labels = stored(sides["inside"])
    scaled = logits / metrics["temperature"]
    assert metrics["test.nll_scaled"] == pytest.approx(cross_entropy(scaled, labels).item())
    assert metrics["test.ece_scaled"] == pytest.approx(ece(log_probabilities(scaled, 10), labels))
    measures = {"nll", "brier", "ece", "adaptive_ece", "classwise_ece", "aurc", "excess_aurc"}
    both = {f"test.{name}{suffix}" for name in measures for suffix in ("", "_scaled")}
    assert metrics.keys() == {"temperature", "test.accuracy", *both}
    assert space.warnings == []


def test_the_temperature_is_fitted_on_validation_images_alone(runs, sides):
    metrics = runs(Calibrate(), **sides)[1]
    hotter = changed(sides["inside"], runs.root / "hotter", lambda logits, _: 3 * logits)
    assert runs(Calibrate(), **sides | {"inside": hotter})[1]["temperature"] == metrics["temperature"]
    logits, labels = stored(sides["validation"])
    losses = [
        cross_entropy(logits / (metrics["temperature"] * factor), labels).item() for factor in (0.99, 1, 1.01)
    ]
    assert min(losses) == losses[1]


def test_a_network_that_is_too_sure_is_cooled_down_to_what_it_was(runs, sides):
    metrics = runs(Calibrate(), **sides)[1]
    sure = {
        role: changed(folder, runs.root / role, lambda logits, _: 8 * logits)
        for role, folder in sides.items()
    }
    found = runs(Calibrate(), **sure)[1]
    assert found["temperature"] == pytest.approx(8 * metrics["temperature"], rel=1e-5)
    assert found["test.ece_scaled"] == pytest.approx(metrics["test.ece_scaled"], abs=1e-5)
    assert found["test.nll"] > 1.5 * found["test.nll_scaled"]


def test_the_reliability_file_has_the_bins_before_and_after(runs, sides):
    space, metrics = runs(Calibrate(bins=12), **sides)
    found = json.loads((space.output / "reliability.json").read_text())
    for when, metric in (("before", "test.ece"), ("after", "test.ece_scaled")):
        bins = [one for one in found[when] if one["images"]]
        assert (len(found[when]), sum(one["images"] for one in bins)) == (12, 400)
        gaps = sum(one["images"] * abs(one["confidence"] - one["accuracy"]) for one in bins)
        assert metrics[metric] == pytest.approx(gaps / 400)


def test_an_answer_unknown_is_an_error_only_where_all_outputs_are_viewed(runs, unsure_sides):
    network, sides = unsure_sides["network"], {role: unsure_sides[role] for role in ("inside", "validation")}
    logits, labels = stored(sides["inside"])
    for view, count in (("known", 10), ("all", 11)):
        _, metrics = runs(Calibrate(view=view), **sides)
        _, expected = runs(Classify(view=view), model=network)
        assert metrics["test.accuracy"] == expected["test.accuracy"]
        assert metrics["test.ece"] == pytest.approx(expected["test.ece"])
        p = (logits / metrics["temperature"]).softmax(1)[:, :count]
        assert metrics["test.ece_scaled"] == pytest.approx(ece(p.log(), labels))
    known = runs(Calibrate(view="known"), **sides)[1]
    assert known["test.accuracy"] > metrics["test.accuracy"]
    assert known["temperature"] == metrics["temperature"]


def test_a_network_that_is_always_right_on_validation_images_has_a_warning(runs, sides):
    perfect = changed(sides["validation"], runs.root / "perfect", lambda _, labels: torch.eye(10)[labels])
    space, metrics = runs(Calibrate(), **sides | {"validation": perfect})
    assert metrics["temperature"] == 0.05
    assert space.warnings == [
        "no temperature is best for 200 validation images with an accuracy of 100.0%: took the bound, 0.05"
    ]


@pytest.mark.parametrize(
    ("dataset", "said"), [(Noise(), "noise, inside, has none"), (Digits(keep=(0, 1)), "has 2")]
)
def test_images_of_other_classes_have_no_calibration(dataset, said, runs, trained, sides):
    other = runs.output(Features(dataset=dataset), model=trained)
    with pytest.raises(ValueError, match=f"labels of the network's 10 classes, but .*{said}"):
        runs(Calibrate(), **sides | {"inside": other})


def test_outputs_of_two_networks_are_not_compared(runs, sides, unsure_sides):
    with pytest.raises(ValueError, match="must be outputs of one network, got those of several"):
        runs(Calibrate(), inside=sides["inside"], validation=unsure_sides["validation"])


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_plan_refuses_a_temperature_that_is_fitted_on_any_split_but_validation(split, tmp_path):
    file = tmp_path / "calibration.yaml"
    file.write_text(SWEEP.replace("SPLIT", "validation"))
    load(file).plan()
    file.write_text(SWEEP.replace("SPLIT", split))
    with pytest.raises(SpecError, match=f"must be fitted on the validation split, got {split}"):
        load(file).plan()


def test_no_bins_are_refused():
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        Calibrate(bins=0)
