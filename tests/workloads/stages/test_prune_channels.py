"""Structured pruning as a stage: amounts, rounds, rewinding, and what is left is a network like any other."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from small_networks import small

from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.fgsm import Fgsm
from workloads.channels.crop import Crop
from workloads.channels.crop_iterative import CropIterative
from workloads.channels.norm import Norm
from workloads.channels.random import Random
from workloads.channels.taylor import Taylor
from workloads.datasets.digits import Digits
from workloads.pruning.magnitude import Magnitude
from workloads.randomness import derive
from workloads.stages.attack import Attack
from workloads.stages.classify import Classify
from workloads.stages.features import Features
from workloads.stages.initialise import Initialise
from workloads.stages.prune import Prune
from workloads.stages.prune_channels import PruneChannels

#: Weights of `trained`, whose only hidden layer has 30 units: 64 that make one and 10 that read it.
UNITS, PER_UNIT = 30, 64 + 10


def weights(folder):
    return {key: value for key, value in load_file(folder / "model.safetensors").items() if "/" not in key}


def units(folder):
    """Which of the hidden units of `trained` are left."""
    return load_file(folder / "model.safetensors")["channels/body.hidden1/out"].nonzero().flatten().tolist()


@pytest.mark.parametrize("name", ["lenet", "resnet8", "vgg11", "mobilenet_v2"])
def test_what_is_left_is_trained_attacked_and_looked_at_like_any_other_network(name, runs):
    architecture = small(name)
    start = runs.output(Initialise(architecture=architecture, dataset=Digits(), seed=0))
    stage = PruneChannels(criterion=Norm(), of="weights", sparsity=0.9)
    space, metrics = runs(stage, model=start)
    assert metrics["density"] == metrics["weights_left"] <= 0.1
    assert metrics["weights_left"] > 0.08
    tensors = weights(space.output)
    bare = {
        key: tensor for key, tensor in tensors.items() if key not in ("mean", "std") and "running" not in key
    }
    assert metrics["parameters"] == sum(tensor.numel() for tensor in bare.values() if tensor.dim())
    trained, after = runs(runs.small(architecture=architecture, epochs=1), model=space.output)
    costs = ("parameters", "nonzeros", "inference_flops", "inference_flops_dense", "bytes", "density")
    assert {key: after[key] for key in costs} == {key: metrics[key] for key in costs}
    assert {key: tensor.shape for key, tensor in weights(trained.output).items()} == {
        key: tensor.shape for key, tensor in tensors.items()
    }
    assert runs(Classify(), model=trained.output)[1]["density"] == metrics["density"]
    assert 0 <= runs(Attack(attack=Fgsm(), samples=20), model=trained.output)[1]["test.accuracy"] <= 1
    seen = load_file(runs.output(Features(), model=trained.output) / "outputs.safetensors")
    assert seen["features"].shape[1] == seen["head.weight"].shape[1] == tensors["head.weight"].shape[1]


@pytest.mark.parametrize(
    ("of", "sparsity", "kept"),
    [
        ("channels", 0.9, 3),
        ("channels", 0.5, 15),
        ("weights", 0.5, 15),
        ("flops", 0.75, 7),
        ("weights", 0.0, 30),
    ],
)
def test_as_many_channels_stay_as_the_share_allows(of, sparsity, kept, runs, trained):
    _, metrics = runs(PruneChannels(criterion=Norm(), of=of, sparsity=sparsity), model=trained)
    share = kept / UNITS
    assert [metrics[f"{unit}_left"] for unit in ("channels", "weights", "flops")] == pytest.approx(
        [share] * 3
    )
    assert metrics["nonzeros"] == metrics["parameters"] == kept * (PER_UNIT + 1) + 10
    assert metrics["inference_flops"] == metrics["inference_flops_dense"] == 2 * kept * PER_UNIT
    assert metrics["epochs"] == 2


def test_the_units_with_the_largest_weights_stay_with_their_values(runs, trained):
    folder = runs.output(PruneChannels(criterion=Norm(order=2), sparsity=0.9), model=trained)
    before, after = weights(trained), weights(folder)
    best = before["body.hidden1.weight"].norm(dim=1).topk(3).indices.sort().values
    assert units(folder) == best.tolist()
    assert torch.equal(after["body.hidden1.weight"], before["body.hidden1.weight"][best])
    assert torch.equal(after["body.hidden1.bias"], before["body.hidden1.bias"][best])
    assert torch.equal(after["head.weight"], before["head.weight"][:, best])
    assert torch.equal(after["head.bias"], before["head.bias"])


def test_the_gradient_criteria_choose_otherwise(runs, trained):
    chosen = {
        str(units(runs.output(PruneChannels(criterion=criterion, sparsity=0.9), model=trained)))
        for criterion in (Norm(), Taylor(), Crop())
    }
    assert len(chosen) > 1


def test_uniform_takes_as_much_of_every_layer_and_global_what_matters_least(runs):
    start = runs.output(Initialise(architecture=Mlp(hidden=(40, 20)), dataset=Digits(), seed=0))
    shapes = {
        allocation: weights(
            runs.output(PruneChannels(criterion=Random(), allocation=allocation, sparsity=0.5), model=start)
        )["body.hidden2.weight"].shape
        for allocation in ("uniform", "global")
    }
    assert shapes["uniform"] == (10, 20)
    assert shapes["global"] != (10, 20)
    assert sum(shapes["global"]) == 30


def test_rounds_take_a_fraction_of_what_is_left_and_the_ticket_is_rewound_to_its_first_weights(runs, trained):
    start = runs.output(Initialise(architecture=Mlp(hidden=(30,)), dataset=Digits(), seed=0))
    stage = PruneChannels(criterion=Norm(), fraction=0.2)
    folder, left, seen = trained, [], set(range(UNITS))
    for _ in range(3):
        ticket, metrics = runs(stage, model=folder, weights=start)
        now = units(ticket.output)
        assert seen > set(now)
        seen = set(now)
        left.append(len(now))
        first, values = weights(start), weights(ticket.output)
        assert torch.equal(values["body.hidden1.weight"], first["body.hidden1.weight"][now])
        assert torch.equal(values["head.weight"], first["head.weight"][:, now])
        assert metrics["epochs"] == 2 * len(left)  # what it cost to find the ticket
        folder = runs.output(runs.small(), model=ticket.output)
    assert left == [24, 19, 15]


def test_a_sparsity_is_counted_from_the_architecture_in_later_rounds_too(runs, trained):
    half = runs.output(PruneChannels(criterion=Norm(), sparsity=0.5), model=trained)
    space, metrics = runs(PruneChannels(criterion=Norm(), sparsity=0.9), model=half)
    assert (metrics["channels_left"], len(units(space.output))) == (0.1, 3)
    assert units(space.output) == units(
        runs.output(PruneChannels(criterion=Norm(), sparsity=0.9), model=trained)
    )


def test_a_criterion_in_rounds_scores_what_the_round_before_left(runs, trained):
    folder = trained
    for number, level in enumerate((0.5, 0.7, 0.8, 0.9)):
        seed = derive(4, "round", number) if number else 4
        folder = runs.output(PruneChannels(criterion=Crop(), sparsity=level, seed=seed), model=folder)
    stage = PruneChannels(criterion=CropIterative(steps=2), sparsity=0.9, seed=4)
    assert runs.files(runs.output(stage, model=trained)) == runs.files(folder)
    half = runs.output(PruneChannels(criterion=Norm(), sparsity=0.75), model=trained)
    assert len(units(runs.output(stage, model=half))) == 3  # two rounds are behind it


def test_a_network_that_is_small_enough_stays_and_says_so(runs, trained):
    small_one = runs.output(PruneChannels(criterion=Norm(), sparsity=0.9), model=trained)
    space, metrics = runs(PruneChannels(criterion=Norm(), sparsity=0.5), model=small_one)
    assert space.warnings == ["no channel went: the network was as small as asked already"]
    assert metrics["channels_left"] == 0.1
    assert runs.files(space.output) == runs.files(small_one)


def test_a_small_dense_network_has_first_weights_of_its_own(runs):
    start = runs.output(Initialise(architecture=Mlp(), dataset=Digits(), seed=0))
    small_dense = PruneChannels(
        criterion=Random(), allocation="uniform", of="weights", sparsity=0.9, fresh=True
    )
    space, metrics = runs(small_dense, model=start)
    sparse = runs(Prune(criterion=Magnitude(), sparsity=0.9), model=start)[1]
    assert 0.95 * sparse["density"] < metrics["density"] <= sparse["density"]
    hidden = weights(space.output)["body.hidden2.weight"]
    # He et al.: a standard deviation of sqrt(2 / inputs), of the inputs that there are
    assert float(hidden.std()) == pytest.approx((2 / hidden.shape[1]) ** 0.5, rel=0.1)
    assert metrics["epochs"] == 0


def test_masked_weights_stay_masked_and_a_narrow_network_can_be_masked(runs, trained):
    sparse = runs.output(Prune(criterion=Magnitude(), sparsity=0.5), model=trained)
    space, metrics = runs(PruneChannels(criterion=Norm(), sparsity=0.5), model=sparse)
    tensors, whole, left = load_file(space.output / "model.safetensors"), weights(sparse), units(space.output)
    assert torch.equal(tensors["mask/head.weight"], whole["head.weight"][:, left] != 0)
    kept = sum(
        int(tensor.count_nonzero())
        for tensor in tensors.values()
        if tensor.dim() == 2 and tensor.dtype != torch.bool
    )
    assert metrics["density"] == pytest.approx(kept / (UNITS * PER_UNIT))
    assert metrics["weights_left"] == 0.5

    narrow = runs.output(PruneChannels(criterion=Norm(), sparsity=0.5), model=trained)
    start = runs.output(Initialise(architecture=Mlp(hidden=(30,)), dataset=Digits(), seed=0))
    ticket, metrics = runs(Prune(criterion=Magnitude(), sparsity=0.8), model=narrow, weights=start)
    assert metrics["density"] == pytest.approx(0.5 * 0.2)
    alive = load_file(ticket.output / "model.safetensors")
    first = weights(start)["head.weight"][:, units(narrow)]
    assert torch.equal(alive["head.weight"], torch.where(alive["mask/head.weight"], first, 0.0))


def test_values_of_a_narrower_network_are_refused(runs, trained):
    narrow = runs.output(PruneChannels(criterion=Norm(), sparsity=0.9), model=trained)
    with pytest.raises(ValueError, match="channels that are gone cannot be kept"):
        runs(PruneChannels(criterion=Norm(), sparsity=0.5), model=trained, weights=narrow)


def test_batch_norm_statistics_can_be_made_anew(runs):
    start = runs.output(Initialise(architecture=Resnet8(width=4), dataset=Digits(), seed=0))
    for which, fresh in (("keep", 0.0), ("clean", None)):
        stage = PruneChannels(criterion=Norm(), sparsity=0.5, batch_norm=which)
        mean = weights(runs.output(stage, model=start))["body.stem.norm.running_mean"]
        assert bool(mean.any()) == (fresh is None)


def test_layers_that_hang_by_one_channel_are_named(runs, trained):
    space, metrics = runs(PruneChannels(criterion=Norm(), sparsity=0.96), model=trained)
    assert space.warnings == ["pruning left a single channel in hidden1"]
    assert metrics["single_channel_layers"] == 1


def test_more_than_can_go_is_refused_with_what_can(runs, trained):
    with pytest.raises(
        ValueError, match=r"at most 0\.966667 of the architecture's weights can go, got 0\.99"
    ):
        runs(PruneChannels(criterion=Norm(), of="weights", sparsity=0.99), model=trained)


def test_a_network_without_channels_is_refused(runs):
    flat = runs.output(Initialise(architecture=Mlp(hidden=()), dataset=Digits(), seed=0))
    with pytest.raises(ValueError, match="must have channels between its layers"):
        runs(PruneChannels(criterion=Norm(), sparsity=0.5), model=flat)


@pytest.mark.parametrize(
    ("amounts", "rule"),
    [
        ({}, r"exactly one of sparsity and fraction must be given, got \[\]"),
        ({"sparsity": 0.5, "fraction": 0.5}, "exactly one of sparsity and fraction"),
        ({"sparsity": 1.0}, r"sparsity must be in \[0, 1\), got 1"),
        ({"fraction": -0.1}, r"fraction must be in \[0, 1\), got -0.1"),
    ],
)
def test_exactly_one_possible_amount_is_given(amounts, rule):
    with pytest.raises(ValueError, match=rule):
        PruneChannels(criterion=Norm(), **amounts)


def test_fresh_weights_and_those_of_another_network_exclude_each_other():
    with pytest.raises(ValueError, match="weights must not be read"):
        PruneChannels(criterion=Norm(), sparsity=0.5, fresh=True).check(["model", "weights"])
