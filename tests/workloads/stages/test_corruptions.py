"""Corruption robustness of trained networks, checked against classify and by hand."""

from __future__ import annotations

import json
from statistics import fmean

import pytest
from miniatures import write_cifar, write_cifar_c

from orchestrator.build import build_class
from orchestrator.errors import SpecError
from workloads.architectures.mlp import Mlp
from workloads.datasets._root import VARIABLE
from workloads.datasets.cifar10 import Cifar10
from workloads.datasets.cifar10_c import Cifar10C
from workloads.datasets.corrupted import Corrupted
from workloads.datasets.digits import Digits
from workloads.pruning.magnitude import Magnitude
from workloads.stages.classify import Classify
from workloads.stages.corruptions import Corruptions
from workloads.stages.initialise import Initialise
from workloads.stages.prune import Prune


@pytest.fixture(scope="module", autouse=True)
def data_root(tmp_path_factory):
    """A data root of its own, with CIFAR-10 in miniature: clean, and in fog."""
    root = tmp_path_factory.mktemp("data")
    write_cifar(root)
    write_cifar_c(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(root))
        yield


@pytest.fixture(scope="module")
def sparse(shared_runs, trained):
    return shared_runs.output(Prune(criterion=Magnitude(), sparsity=0.8), model=trained)


def test_all_fifteen_are_measured_and_a_severer_corruption_costs_more(runs, trained):
    space, metrics = runs(Corruptions(), model=trained)
    table = json.loads((space.output / "corruptions.json").read_text())["model"]
    assert len(table) == 15
    assert all(len(row) == 5 for row in table.values())
    assert metrics["test.accuracy"] == pytest.approx(fmean(fmean(row.values()) for row in table.values()))
    assert metrics["test.accuracy_fog"] == pytest.approx(fmean(table["fog"].values()))
    shares = [metrics[f"test.accuracy_severity_{severity}"] for severity in range(1, 6)]
    assert shares[1] == pytest.approx(fmean(row["2"] for row in table.values()))
    assert metrics["test.clean_accuracy"] > shares[0] > shares[2] > shares[4]


def test_the_numbers_are_those_that_classify_gives_for_each_set(runs, trained):
    stage = Corruptions(corruptions=("snow", "shot_noise"), severities=(2, 4), split="validation", seed=3)
    _, metrics = runs(stage, model=trained)
    for name in stage.corruptions:
        found = [
            runs(Classify(dataset=Corrupted(Digits(), name, severity, 3), split="validation"), model=trained)[
                1
            ]
            for severity in stage.severities
        ]
        expected = fmean(one["validation.accuracy"] for one in found)
        assert metrics[f"validation.accuracy_{name}"] == pytest.approx(expected)
    clean = runs(Classify(split="validation"), model=trained)[1]
    assert metrics["validation.clean_accuracy"] == clean["validation.accuracy"]


def test_the_mean_corruption_error_is_relative_to_the_reference(runs, trained, sparse):
    stage = Corruptions(corruptions=("fog", "contrast", "pixelate"), severities=(1, 3, 5))
    space, metrics = runs(stage, model=sparse, reference=trained)
    tables = json.loads((space.output / "corruptions.json").read_text())
    errors = {
        role: [sum(1 - share for share in row.values()) for row in tables[role].values()] for role in tables
    }
    pairs = zip(errors["model"], errors["reference"], strict=True)
    assert metrics["test.mce"] == pytest.approx(fmean(one / other for one, other in pairs))
    assert metrics["test.mce"] > 1
    assert runs(stage, model=trained, reference=trained)[1]["test.mce"] == 1
    alone = runs(stage, model=sparse)[1]
    assert alone == {key: value for key, value in metrics.items() if key != "test.mce"}


def test_a_corruption_without_errors_of_the_reference_is_left_out_and_named(runs):
    space = runs.space()
    mine = {"fog": {1: 0.5, 5: 0.4}, "snow": {1: 0.5, 5: 0.1}}
    theirs = {"fog": {1: 1.0, 5: 1.0}, "snow": {1: 1.0, 5: 0.3}}
    assert Corruptions()._compared(mine, theirs, space=space) == {"mce": pytest.approx(1.4 / 0.7)}
    assert space.warnings == ["the mean corruption error leaves out where the reference makes no error: fog"]
    assert Corruptions()._compared(mine, {name: {1: 1.0, 5: 1.0} for name in mine}, space=runs.space()) == {}


def test_the_official_images_are_used_where_the_sweep_says_so(runs):
    model = runs.output(Initialise(architecture=Mlp(hidden=(5,)), dataset=Cifar10(validation=20), seed=0))
    stage = Corruptions(source="official", corruptions=("fog",), severities=(2, 5))
    _, metrics = runs(stage, model=model)
    found = [
        runs(Classify(dataset=Cifar10C("fog", severity)), model=model)[1]["test.accuracy"]
        for severity in stage.severities
    ]
    assert [metrics[f"test.accuracy_severity_{at}"] for at in stage.severities] == found


def test_there_are_official_images_of_three_sets_only(runs, trained):
    message = "there are official corruptions of cifar10, cifar100 and tiny_imagenet, got Digits"
    with pytest.raises(ValueError, match=message):
        Corruptions(source="official", dataset=Digits())
    with pytest.raises(ValueError, match=message):
        runs(Corruptions(source="official"), model=trained)


def test_a_reference_must_have_learned_the_same_data(runs, trained):
    other = runs.output(Initialise(architecture=Mlp(), dataset=Digits(keep=(0, 1)), seed=0))
    with pytest.raises(ValueError, match="the reference must have learned the dataset of the network"):
        runs(Corruptions(), model=trained, reference=other)


def test_a_sweep_names_corruptions_and_severities():
    stage = build_class(Corruptions, {"corruptions": ["fog", "snow"], "severities": [5]})
    assert (stage.corruptions, stage.severities) == (("fog", "snow"), (5,))
    with pytest.raises(SpecError, match="'smoke'"):
        build_class(Corruptions, {"corruptions": ["smoke"]})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"severities": (0,)}, "severity must be one of 1 to 5, got 0"),
        ({"severities": ()}, "severities must be one or more different ones"),
        ({"corruptions": ("fog", "fog")}, "corruptions must be one or more different ones"),
        ({"source": "official", "split": "train"}, "split must be test where source is official, got train"),
    ],
)
def test_fields_that_measure_nothing_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Corruptions(**fields)
