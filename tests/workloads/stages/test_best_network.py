"""The best network of a training by validation images: kept beside the last one, over interruptions too."""

from __future__ import annotations

import pytest
import torch

import orchestrator
from orchestrator.errors import SpecError
from orchestrator.identity import address
from orchestrator.spec import load
from orchestrator.stage import Stop
from orchestrator.storage import open_store
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.fgsm import Fgsm
from workloads.attacks.pgd import Pgd
from workloads.averaging.swa import Swa
from workloads.optimizers.sgd import Sgd
from workloads.schedules.constant import Constant
from workloads.sparse_training.rigl import Rigl
from workloads.sparse_training.set import Set
from workloads.stages._networks import read
from workloads.stages.attack import Attack
from workloads.training import loop

PARTIAL = Pgd(epsilon=0.1, steps=2)


@pytest.fixture
def scripted(monkeypatch):
    """Sets the robust accuracies that are found one after another, and gives the networks of each."""

    def script(*accuracies):
        left, seen = list(accuracies), []

        def told(network, attack, split, seed):
            seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
            return left[len(seen) - 1]

        monkeypatch.setattr(loop, "robust_accuracy", told)
        return seen

    return script


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(("accuracies", "best"), [((0.2, 0.5, 0.5, 0.1), 2), ((0.4, 0.3, 0.2, 0.6), 4)])
def test_the_network_of_the_highest_accuracy_is_kept_the_earlier_of_equal_ones(
    accuracies, best, runs, scripted
):
    seen = scripted(*accuracies)
    stage = runs.small(epochs=4, best=PARTIAL, architecture=Resnet8(width=2), sparsify=Set(0.5, interval=3))
    space, metrics = runs(stage)
    last, kept = read(space.output), read(space.output / "best")
    assert len(seen) == 4
    assert same(last.network.state_dict(), seen[-1])
    assert same(kept.network.state_dict(), seen[best - 1])  # weights and batch-norm statistics
    assert metrics["best.epoch"] == kept.epochs == best
    assert metrics["best.validation.robust_accuracy"] == max(accuracies)
    assert metrics["validation.robust_accuracy"] == accuracies[-1]
    assert any(not mask.all() for mask in kept.masks.values())
    for name, mask in kept.masks.items():
        assert not seen[best - 1][name][~mask].any()
    assert last.epochs == 4
    assert kept.training_flops <= last.training_flops
    assert (kept.training_flops == last.training_flops) == (best == 4)


def test_networks_are_compared_every_so_many_epochs_and_the_last_one_always(runs, scripted):
    seen = scripted(0.1, 0.3, 0.2)
    watch = runs.watch()
    _, metrics = runs(runs.small(epochs=5, best=PARTIAL, best_every=2), watch=watch)
    assert len(seen) == 3
    assert metrics["best.epoch"] == 4
    told = [done for done, _, numbers in watch.reports if "validation.robust_accuracy" in numbers]
    assert told == [2 * 9, 4 * 9]


def test_the_average_that_is_published_is_compared_with_the_networks_on_the_way(runs, scripted):
    seen = scripted(0.1, 0.2, 0.9)
    space, metrics = runs(runs.small(epochs=3, best=PARTIAL, averaging=Swa(begin=0.3)))
    assert metrics["averaged"] == 3
    assert same(read(space.output).network.state_dict(), seen[-1])
    assert runs.files(space.output / "best") == {
        name: content for name, content in runs.files(space.output).items() if "/" not in name
    }


def test_the_accuracy_is_that_of_an_attack_on_the_validation_split(runs):
    stage = runs.small(epochs=3, best=Fgsm(epsilon=0.1))
    space, metrics = runs(stage)
    judge = Attack(attack=Fgsm(epsilon=0.1), split="validation", suspect=False, batch_size=512)
    for part, found in (("", "validation.robust_accuracy"), ("best", "best.validation.robust_accuracy")):
        _, attacked = runs(judge, model=space.output / part)
        assert metrics[found] == attacked["validation.accuracy"]
    assert metrics["best.validation.robust_accuracy"] >= metrics["validation.robust_accuracy"]


def test_an_epsilon_of_nothing_is_the_clean_accuracy(runs):
    _, metrics = runs(runs.small(best=Fgsm(epsilon=0)))
    assert metrics["validation.robust_accuracy"] == metrics["validation.accuracy"]


def test_looking_for_the_best_changes_neither_the_last_network_nor_its_metrics(runs):
    plain, expected = runs(runs.small(architecture=Resnet8(width=2)))
    space, metrics = runs(runs.small(architecture=Resnet8(width=2), best=PARTIAL))
    files = runs.files(space.output)
    assert {name: files[name] for name in files if "/" not in name} == runs.files(plain.output)
    added = {"best.epoch", "best.validation.robust_accuracy", "validation.robust_accuracy"}
    assert {name: value for name, value in metrics.items() if name not in added} == expected
    assert metrics.keys() == expected.keys() | added


@pytest.mark.parametrize("stops", [(9,), (12, 27), (30, 35)])
def test_the_best_network_survives_an_interruption_to_the_byte(stops, runs):
    stage = runs.small(
        epochs=4,
        best=Pgd(epsilon=0.15, steps=2),
        architecture=Mlp(hidden=(20,), unknown_outputs=1),
        sparsify=Rigl(sparsity=0.5, interval=4),
        optimizer=Sgd(lr=1.0),
        schedule=Constant(),
    )
    whole, expected = runs(stage)
    assert 1 <= expected["best.epoch"] < 4  # it is not simply the last
    watch = runs.watch(*stops)
    for _ in stops:
        with pytest.raises(Stop):
            runs(stage, watch=watch)
    resumed, metrics = runs(stage, watch=watch)
    assert "best/model.safetensors" in runs.files(whole.output)
    assert runs.files(resumed.output) == runs.files(whole.output)
    assert metrics == expected


def test_a_training_goes_on_from_the_best_network_of_another(runs):
    space, first = runs(runs.small(epochs=2, best=PARTIAL))
    _, metrics = runs(runs.small(architecture=None, dataset=None), model=space.output / "best")
    assert metrics["epochs"] == first["best.epoch"] + 2


def test_keeping_none_leaves_the_address_and_the_output_as_they_were(runs):
    assert address(runs.small(), {}) == address(runs.small(best=None, best_every=1), {})
    assert address(runs.small(), {}) != address(runs.small(best=PARTIAL), {})
    assert set(runs.files(runs.output(runs.small()))) == {"model.safetensors", "network.json"}


def test_a_number_of_epochs_below_one_is_refused(runs):
    with pytest.raises(ValueError, match="best_every must be at least 1 epoch, got 0"):
        runs.small(best_every=0)


SWEEP = """
name: best
axes: {method: [plain], seed: [0]}
methods:
  plain: {model: {stage: train, architecture: mlp, dataset: digits, seed: $seed, epochs: 2 BEST}}
evaluate:
  robust:      {stage: attack, reads: {model: model}, attack: {name: fgsm, epsilon: 0.1}}
  robust_best: {stage: attack, reads: {model: model/best}, attack: {name: fgsm, epsilon: 0.1}}
  same:        {stage: attack, reads: {model: {node: model, part: best}}, attack: {name: fgsm, epsilon: 0.1}}
tables: [{rows: method, value: robust_best.accuracy}]
"""


def test_both_networks_are_evaluated_in_one_sweep(tmp_path):
    file = tmp_path / "best.yaml"
    file.write_text(
        SWEEP.replace(" BEST", ", optimizer: {name: sgd, lr: 3.0}, best: {name: fgsm, epsilon: 0.1}")
    )
    plan, store = load(file).plan(), open_store(tmp_path / "results")
    assert len(plan) == 3  # one training, two attacks: `same` is `robust_best`
    orchestrator.run(plan, store, engine="inline")
    manifests = store.manifests(plan.addresses).values()
    assert len(manifests) == 3
    (trained,) = (manifest for manifest in manifests if manifest.stage == "train")
    assert "best.epoch" in trained.metrics
    rows = orchestrator.results(plan, store)
    assert {"robust", "robust_best"} <= set(rows["node"])


def test_reading_the_best_network_of_a_training_that_keeps_none_is_refused_before_anything_runs(tmp_path):
    file = tmp_path / "none.yaml"
    file.write_text(SWEEP.replace(" BEST", ""))
    with pytest.raises(SpecError) as refused:
        load(file).plan()
    rule = "a train keeps the network best only where its field best names an attack, got null (at seed=0)"
    (problem,) = refused.value.problems
    assert problem.where.endswith("none.yaml: evaluate.robust_best")
    assert problem.what == rule


def test_a_part_that_no_training_has_is_refused_with_the_known_ones(tmp_path):
    file = tmp_path / "none.yaml"
    file.write_text(SWEEP.replace("model/best", "model/worst").replace(" BEST", ""))
    with pytest.raises(SpecError, match=r"unknown part of train 'worst'. .*Known: best"):
        load(file).plan()
