"""Sensitivities of layers as a stage: from a network to ratios, a sparser network, and on."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.stage import Stop
from workloads.architectures._modes import evaluated
from workloads.architectures.mlp import Mlp
from workloads.attacks.fgsm import Fgsm
from workloads.attacks.pgd import Pgd
from workloads.datasets.digits import Digits
from workloads.objectives.adversarial import Adversarial
from workloads.pruning.magnitude import Magnitude
from workloads.sensitivities._ratios import pruning_ratios
from workloads.sensitivities.prune_probe import PruneProbe
from workloads.sensitivities.weight_perturbation import WeightPerturbation
from workloads.sparsity.given import Given
from workloads.stages.prune import Prune
from workloads.stages.sensitivity import Sensitivity
from workloads.training.evaluation import fixed_attack

SIZES = {"hidden1": 64 * 30, "head": 30 * 10}
QUICK = {"attack": Pgd(epsilon=0.1, steps=2), "samples": 100}


def tables(folder):
    return [json.loads((folder / f"{name}.json").read_text()) for name in ("sensitivities", "ratios")]


def test_the_table_the_ratios_and_the_metrics_say_the_same(runs, trained):
    space, metrics = runs(Sensitivity(measure=WeightPerturbation(epochs=2), **QUICK), model=trained)
    table, ratios = tables(space.output)
    assert {layer: row["size"] for layer, row in table.items()} == SIZES
    found = {layer: row["sensitivity"] for layer, row in table.items()}
    assert ratios == pruning_ratios(found, "min_max", 0.8)
    assert sorted(ratios.values()) == pytest.approx([0.2, 1])
    for layer, row in table.items():
        assert row["sensitivity"] == row["loss_after"] - row["loss_before"] > 0
        assert row["accuracy_drop"] == row["accuracy_before"] - row["accuracy_after"]
        assert row["nonzeros"] == row["size"]
        assert metrics[f"train.sensitivity_{layer}"] == row["sensitivity"]
    assert metrics["train.sensitivity_min"] == min(found.values()) < metrics["train.sensitivity_mean"]
    assert metrics["train.sensitivity_max"] == max(found.values()) > metrics["train.sensitivity_mean"]
    assert (metrics["train.images"], metrics["train.loss"]) == (100, table["head"]["loss_before"])
    assert [report[:2] for report in space.checkpoint.reports] == [(1, 2), (2, 2)]


def test_the_images_are_attacked_within_bounds_whatever_the_network_says_of_them():
    network = Mlp(hidden=(), unknown_outputs=1).network((1, 8, 8), 10, 0).train()
    train = Digits().learning().train
    places = torch.tensor([5, 900, 17])
    found = fixed_attack(network, Fgsm(epsilon=0.1), train, places, seed=0)
    images = train.images[places] / 255
    assert network.training
    assert torch.equal(found.labels, train.labels[places])
    assert float((found.images - images).abs().max()) <= 0.1 + 1e-6
    with evaluated(network), torch.no_grad():
        known = [network(pixels)[:, :10].log_softmax(1) for pixels in (images, found.images)]
        before, after = (belief.gather(1, found.labels[:, None]) for belief in known)
    assert (after < before).all()
    alone = fixed_attack(network, Pgd(epsilon=0.1), train, places[1:2], seed=3)
    assert torch.equal(
        alone.images[0], fixed_attack(network, Pgd(epsilon=0.1), train, places, seed=3).images[1]
    )


def test_fewer_images_than_asked_for_are_all_and_validation_images_are_named(runs, trained):
    stage = Sensitivity(measure=PruneProbe(), attack=Fgsm(), samples=10_000, split="validation")
    metrics = runs(stage, model=trained)[1]
    assert metrics["validation.images"] == len(Digits().learning().validation)
    assert all(name.startswith("validation.") for name in metrics)


def test_a_search_that_ends_on_its_way_is_said_to_and_one_that_reaches_the_border_is_not(runs, trained):
    far, near = (
        runs(Sensitivity(measure=WeightPerturbation(lr=lr), **QUICK), model=trained)[0].warnings
        for lr in (3.0, 1e-3)
    )
    assert far == []
    assert near == [
        "the search in hidden1, head ended inside of what is allowed: more epochs or a larger lr may show "
        "these layers more sensitive"
    ]
    assert runs(Sensitivity(measure=PruneProbe(), **QUICK), model=trained)[0].warnings == []


def test_an_interrupted_measurement_goes_on_with_the_next_layer(runs, trained, monkeypatch):
    stage = Sensitivity(measure=PruneProbe(), **QUICK)
    whole = runs(stage, model=trained)
    watch = runs.watch(1)
    with pytest.raises(Stop):
        runs(stage, watch=watch, model=trained)
    measured = []
    changed = PruneProbe.changed
    monkeypatch.setattr(
        PruneProbe, "changed", lambda self, layer: measured.append(layer.name) or changed(self, layer)
    )
    again = runs(stage, watch=watch, model=trained)
    assert measured == ["head.weight"]
    assert again[1] == whole[1]
    assert runs.files(again[0].output) == runs.files(whole[0].output)


def test_a_network_is_pruned_by_its_sensitivities_trained_on_and_measured_again(runs, trained):
    ratios = runs.output(Sensitivity(measure=PruneProbe(), scale="rank", **QUICK), model=trained)
    found, shares = tables(ratios)
    tough, tender = sorted(found, key=lambda layer: found[layer]["sensitivity"])
    assert shares == pytest.approx({tough: 1, tender: 0.2})
    prune = Prune(criterion=Magnitude(), allocation=Given(), sparsity=0.5)
    pruned = runs.output(prune, model=trained, ratios=ratios)
    tensors = load_file(pruned / "model.safetensors")
    gone = {
        layer: 1 - float(tensors[f"mask/{name}.weight"].double().mean())
        for layer, name in (("hidden1", "body.hidden1"), ("head", "head"))
    }
    factor = 0.5 * sum(SIZES.values()) / (SIZES[tough] + 0.2 * SIZES[tender])
    assert factor < 0.98
    assert {layer: share * SIZES[layer] for layer, share in gone.items()} == pytest.approx(
        {tough: factor * SIZES[tough], tender: 0.2 * factor * SIZES[tender]}, abs=1
    )
    assert sum(share * SIZES[layer] for layer, share in gone.items()) == pytest.approx(1110)
    tuned = runs.output(
        runs.small(architecture=None, dataset=None, objective=Adversarial(attack=Fgsm())), model=pruned
    )
    for measure in (PruneProbe(), WeightPerturbation(epochs=2)):
        again, _ = tables(runs.output(Sensitivity(measure=measure, **QUICK), model=tuned))
        assert {layer: row["nonzeros"] for layer, row in again.items()} == {
            layer: round((1 - gone[layer]) * size) for layer, size in SIZES.items()
        }


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"samples": 0}, "samples must be at least 1, got 0"), ({"protection": 1.5}, r"in \[0, 1\], got 1.5")],
)
def test_settings_that_mean_nothing_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        Sensitivity(measure=PruneProbe(), **fields)
