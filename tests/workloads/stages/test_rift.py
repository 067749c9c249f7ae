"""Fine-tuning of the least sensitive layer, and the way back to as much robustness as before."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.stage import Stop
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.pgd import Pgd
from workloads.averaging.ema import Ema
from workloads.datasets.digits import Digits
from workloads.objectives.adversarial import Adversarial
from workloads.optimizers.sgd import Sgd
from workloads.pruning.magnitude import Magnitude
from workloads.sensitivities.weight_perturbation import WeightPerturbation
from workloads.sparse_training.rigl import Rigl
from workloads.stages import interpolate as module
from workloads.stages._data import _learning
from workloads.stages._networks import read
from workloads.stages.interpolate import Interpolate
from workloads.stages.prune import Prune
from workloads.stages.sensitivity import Sensitivity
from workloads.training.evaluation import attacked, drawn

ATTACK = Pgd(epsilon=0.1, steps=3)
TUNE = {"architecture": None, "dataset": None, "optimizer": Sgd(lr=0.01)}


@pytest.fixture(scope="module")
def robust(shared_runs):
    """A sparse network with batch norm that was trained on attacked images."""
    base = shared_runs.output(
        shared_runs.small(architecture=Resnet8(width=4), objective=Adversarial(attack=ATTACK), batch_size=64)
    )
    return shared_runs.output(Prune(criterion=Magnitude(), sparsity=0.5), model=base)


@pytest.fixture(scope="module")
def layers(shared_runs, robust):
    stage = Sensitivity(measure=WeightPerturbation(epochs=2), attack=ATTACK, samples=100)
    return shared_runs.output(stage, model=robust)


@pytest.fixture(scope="module")
def tuned(shared_runs, robust, layers):
    return shared_runs.output(shared_runs.small(**TUNE), model=robust, sensitivities=layers)


def tensors(folder):
    return load_file(folder / "model.safetensors")


def changed(one, two):
    one, two = tensors(one), tensors(two)
    assert one.keys() == two.keys()
    return {name for name in one if not torch.equal(one[name], two[name])}


def test_only_the_least_sensitive_layer_learns_and_keeps_its_zeros(robust, layers, tuned):
    table = json.loads((layers / "sensitivities.json").read_text())
    least = min(table, key=lambda layer: table[layer]["sensitivity"])
    assert changed(robust, tuned) == {f"body.{least}.weight"}
    weight, mask = (tensors(tuned)[f"{kind}body.{least}.weight"] for kind in ("", "mask/"))
    assert not mask.all()
    assert torch.equal(weight != 0, mask)


def test_the_whole_chain_never_loads_the_test_split(runs, robust, layers, tuned, monkeypatch):
    load = Digits.load

    def guarded(self, split, shape):
        assert split != "test"
        return load(self, split, shape)

    monkeypatch.setattr(Digits, "load", guarded)
    _learning.cache_clear()
    assert runs.files(runs.output(runs.small(**TUNE), model=robust, sensitivities=layers)) == runs.files(
        tuned
    )
    runs(Interpolate(attack=ATTACK, steps=2), start=robust, end=tuned)


def test_the_network_that_is_taken_does_on_validation_images_what_the_table_says(runs, robust, tuned):
    space, metrics = runs(Interpolate(attack=ATTACK, drop=0.02, steps=4), start=robust, end=tuned)
    found = json.loads((space.output / "line.json").read_text())
    line, taken = found["line"], found["line"][found["taken"]]
    assert [row["share"] for row in line] == [0, 0.25, 0.5, 0.75, 1]
    allowed = [row for row in line if row["accuracy_attacked"] >= line[0]["accuracy_attacked"] - 0.02 - 1e-9]
    assert taken in allowed
    assert taken["accuracy"] == max(row["accuracy"] for row in allowed)
    assert metrics["share"] == taken["share"]
    assert metrics["validation.accuracy_gain"] == taken["accuracy"] - line[0]["accuracy"] >= 0
    assert metrics["validation.accuracy_attacked_drop"] <= 0.02 + 1e-9
    held = Digits().learning().validation
    for row, folder in ((taken, space.output), (line[0], robust), (line[-1], tuned)):
        network = read(folder).network
        seen = attacked(network, ATTACK, held, drawn(len(held), None), batch_size=256, seed=0)
        assert float(seen.standing(10).double().mean()) == row["accuracy_attacked"]
        assert float((seen.clean.argmax(1) == held.labels).double().mean()) == pytest.approx(row["accuracy"])
    assert changed(robust, space.output) <= changed(robust, tuned)
    assert metrics["epochs"] == 4
    assert [report[:2] for report in space.checkpoint.reports] == [(done, 5) for done in range(1, 6)]


@pytest.mark.parametrize("found", [(0.001, 0.3), (0.0, 0.0), (0.1, 0.5)])
def test_the_rule_decides_which_network_is_published(found, runs, robust, tuned, monkeypatch):
    drop, share = found
    natural = iter([0.50, 0.51, 0.52, 0.54, 0.53] + [0.6] * 6)
    hard = iter([0.40, 0.399, 0.3995, 0.399, 0.399] + [0.35] * 6)
    monkeypatch.setattr(module, "validated", lambda *_: {"validation.accuracy": next(natural)})
    monkeypatch.setattr(Interpolate, "_robust", lambda *_: next(hard))
    space, metrics = runs(Interpolate(drop=drop), start=robust, end=tuned)
    one, two, found = (tensors(folder) for folder in (robust, tuned, space.output))
    assert metrics["share"] == share
    assert all(
        torch.allclose(found[name], torch.lerp(one[name], two[name], share))
        for name in changed(robust, tuned)
    )


def test_layers_that_are_named_learn_with_their_biases(runs, trained):
    tuned = runs.output(runs.small(**TUNE, only=("head",)), model=trained)
    assert changed(trained, tuned) == {"head.weight", "head.bias"}
    both = runs.output(runs.small(**TUNE, only=("head", "hidden1")), model=trained)
    whole = runs.output(runs.small(**TUNE), model=trained)
    assert not changed(both, whole)  # these are all the layers there are


def test_weight_decay_and_an_average_leave_the_other_layers_alone(runs, robust):
    averaging = Ema(batch_norm="keep")
    stage = runs.small(
        **TUNE | {"optimizer": Sgd(lr=0.01, weight_decay=0.1)}, only=("stem.conv",), averaging=averaging
    )
    assert changed(robust, runs.output(stage, model=robust)) == {"body.stem.conv.weight"}


def test_the_loss_that_falls_is_that_of_the_network_in_evaluation(runs, robust):
    # One step of the whole split at a rate of nearly nothing: the loss is that of the network as it was read.
    train = Digits().learning().train
    network = read(robust).network.eval()
    with torch.no_grad():
        logits = network(train.images / 255)
    expected = float(torch.nn.functional.cross_entropy(logits, train.labels))
    stage = runs.small(**TUNE | {"optimizer": Sgd(lr=1e-9)}, epochs=1, batch_size=len(train), only=("head",))
    assert runs(stage, model=robust)[1]["train.loss"] == pytest.approx(expected, rel=1e-5)


def test_a_partial_training_goes_on_where_it_was_interrupted(runs, robust, layers, tuned):
    watch = runs.watch(10)
    with pytest.raises(Stop):
        runs(runs.small(**TUNE), watch=watch, model=robust, sensitivities=layers)
    again = runs.output(runs.small(**TUNE), watch=watch, model=robust, sensitivities=layers)
    assert watch.saved == [10]
    assert runs.files(again) == runs.files(tuned)


def test_what_would_change_other_layers_is_refused(runs, trained):
    with pytest.raises(ValueError, match="of some layers needs sparsify fixed, got rigl"):
        runs.small(only=("head",), sparsify=Rigl(sparsity=0.5))
    with pytest.raises(ValueError, match="needs an averaging with batch_norm keep, got clean"):
        runs.small(only=("head",), averaging=Ema())
    with pytest.raises(ValueError, match="needs sparsify fixed"):
        runs.small(sparsify=Rigl(sparsity=0.5)).check(["model", "sensitivities"])
    with pytest.raises(ValueError, match=r"only must name layers of the network, hidden1, head; got hidden2"):
        runs(runs.small(only=("hidden2",)), model=trained)


@pytest.mark.parametrize(
    ("only", "reads"), [(("head",), ["model", "sensitivities"]), ((), ["sensitivities"])]
)
def test_sensitivities_choose_the_layer_of_a_network_that_is_read(only, reads, runs):
    with pytest.raises(ValueError, match="must read a model and name no layers in only, got"):
        runs.small(only=only).check(reads)
    runs.small().check(["model", "sensitivities"])


def test_networks_without_a_line_between_them_are_refused(runs, robust, trained):
    with pytest.raises(ValueError, match="architecture must be that of the network that is read"):
        runs(Interpolate(), start=robust, end=trained)
    sparse = runs.output(Prune(criterion=Magnitude(), sparsity=0.5), model=trained)
    with pytest.raises(ValueError, match="start and end must have the same masks"):
        runs(Interpolate(), start=trained, end=sparse)
    other = runs.output(runs.small(architecture=Mlp(hidden=(30,)), seed=1))
    sparser = runs.output(Prune(criterion=Magnitude(), sparsity=0.6), model=other)
    with pytest.raises(ValueError, match="start and end must have the same masks"):
        runs(Interpolate(), start=sparser, end=sparse)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"drop": -0.1}, r"drop must not be negative, got -0\.1"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        Interpolate(**fields)
