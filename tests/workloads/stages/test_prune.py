"""Pruning as a stage: amounts, rewinding, batch norm."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.datasets.digits import Digits
from workloads.pruning.magnitude import Magnitude
from workloads.pruning.random import Random
from workloads.pruning.synflow import Synflow
from workloads.randomness import stream
from workloads.sparsity.given import Given
from workloads.sparsity.uniform import Uniform
from workloads.stages.initialise import Initialise
from workloads.stages.prune import Prune

SIZES = {"body.hidden1.weight": 64 * 30, "head.weight": 30 * 10}
SIZE = sum(SIZES.values())


def opened(folder):
    tensors = load_file(folder / "model.safetensors")
    masks = {name.removeprefix("mask/"): mask for name, mask in tensors.items() if name.startswith("mask/")}
    return tensors, masks


def kept(folder):
    return {name: int(mask.sum()) for name, mask in opened(folder)[1].items()}


def test_a_sparsity_is_met_exactly_and_the_largest_weights_survive_with_their_values(runs, trained):
    space, metrics = runs(Prune(criterion=Magnitude(), sparsity=0.9), model=trained)
    tensors, masks = opened(space.output)
    before, _ = opened(trained)
    assert (metrics["density"], metrics["epochs"]) == (222 / SIZE, 2)
    weakest = min(float(before[name][mask].abs().min()) for name, mask in masks.items())
    strongest_lost = max(float(before[name][~mask].abs().max()) for name, mask in masks.items())
    assert weakest > strongest_lost
    for name, mask in masks.items():
        assert torch.equal(tensors[name], torch.where(mask, before[name], 0.0))
    assert torch.equal(tensors["head.bias"], before["head.bias"])


def test_a_fraction_is_taken_of_what_is_left_again_and_again(runs, trained):
    stage, folder, left = Prune(criterion=Magnitude(), fraction=0.2), trained, [SIZE]
    masks = None
    for _ in range(3):
        folder = runs.output(stage, model=folder)
        _, now = opened(folder)
        assert masks is None or all(not (now[name] & ~masks[name]).any() for name in now)
        masks = now
        left.append(sum(kept(folder).values()))
    assert left == [2220, 1776, 1421, 1137]


def test_fractions_are_taken_layer_by_layer(runs, trained):
    stage = Prune(criterion=Magnitude(), fractions={"hidden1": 0.2, "head": 0.1})
    folder = runs.output(stage, model=trained)
    assert kept(folder) == {"body.hidden1.weight": 1536, "head.weight": 270}
    assert kept(runs.output(stage, model=folder)) == {"body.hidden1.weight": 1229, "head.weight": 243}


def test_an_unknown_layer_is_refused_with_the_known_ones(runs, trained):
    with pytest.raises(ValueError, match=r"hidden1, head; got \['output'\]"):
        runs(Prune(criterion=Magnitude(), fractions={"output": 0.1}), model=trained)


def test_weights_that_are_gone_never_come_back_in_a_random_order_either(runs, trained):
    first = runs.output(Prune(criterion=Random(), sparsity=0.5), model=trained)
    second = runs.output(Prune(criterion=Random(), sparsity=0.7, seed=9), model=first)
    before, after = opened(first)[1], opened(second)[1]
    assert all(not (after[name] & ~before[name]).any() for name in after)
    assert sum(kept(second).values()) == 666


def test_a_sparsity_below_that_of_the_network_is_refused(runs, trained):
    sparse = runs.output(Prune(criterion=Magnitude(), sparsity=0.9), model=trained)
    with pytest.raises(ValueError, match=r"at least the network's own, 0\.9, got 0\.5"):
        runs(Prune(criterion=Magnitude(), sparsity=0.5), model=sparse)


def test_the_allocation_spreads_the_amount(runs, trained):
    folder = runs.output(Prune(criterion=Magnitude(), sparsity=0.9, allocation=Uniform()), model=trained)
    assert kept(folder) == {"body.hidden1.weight": 192, "head.weight": 30}


def test_the_survivors_are_rewound_to_the_values_of_another_network(runs, trained):
    start = runs.output(Initialise(architecture=Mlp(hidden=(30,)), dataset=Digits(), seed=0))
    stage = Prune(criterion=Magnitude(), fraction=0.2)
    ticket, metrics = runs(stage, model=trained, weights=start)
    tensors, masks = opened(ticket.output)
    values, _ = opened(start)
    assert masks.keys() == SIZES.keys()
    assert all(
        torch.equal(mask, opened(runs.output(stage, model=trained))[1][name]) for name, mask in masks.items()
    )
    assert all(
        torch.equal(tensors[name], torch.where(mask, values[name], 0.0)) for name, mask in masks.items()
    )
    assert torch.equal(tensors["body.hidden1.bias"], values["body.hidden1.bias"])
    assert metrics["epochs"] == 2  # what it cost to find the ticket


def test_rewinding_to_another_kind_of_network_is_refused(runs, trained):
    other = runs.output(Initialise(architecture=Mlp(), dataset=Digits(), seed=0))
    with pytest.raises(ValueError, match="architecture must be that of the network"):
        runs(Prune(criterion=Magnitude(), fraction=0.2), model=trained, weights=other)


def test_batch_norm_statistics_are_kept_or_made_anew_from_the_training_images(runs):
    network = runs.output(runs.small(architecture=Resnet8(width=4)))
    keep, clean = (
        opened(runs.output(Prune(criterion=Magnitude(), sparsity=0.9, batch_norm=which), model=network))[0]
        for which in ("keep", "clean")
    )
    before, _ = opened(network)
    changed = [name for name in keep if not torch.equal(keep[name], clean[name])]
    running = [name for name in before if "running_" in name]
    assert changed
    assert all("running_" in name or "num_batches" in name for name in changed)
    assert all(torch.equal(keep[name], before[name]) for name in running)
    # By hand, for the first norm: statistics of the pruned first convolution over two batches of 512.
    images = Digits().learning().train.images
    images = images[torch.randperm(len(images), generator=stream(0, "batch norm"))[:1024]].float() / 255
    normalised = (images - before["mean"][:, None, None]) / before["std"][:, None, None]
    maps = torch.nn.functional.conv2d(normalised, clean["body.stem.conv.weight"], padding=1)
    assert torch.allclose(clean["body.stem.norm.running_mean"], maps.mean((0, 2, 3)), atol=1e-5)


def test_layers_that_hang_by_one_weight_are_named(runs, trained):
    space, metrics = runs(Prune(criterion=Magnitude(), fractions={"head": 0.999}), model=trained)
    assert space.warnings == ["pruning left a single weight in head"]
    assert metrics["single_weight_layers"] == 1


def test_a_criterion_that_wants_rounds_gets_them_and_is_told_apart_from_one_that_does_not(runs, trained):
    kept_by = {}
    for rounds in (1, 20):
        stage = Prune(criterion=Synflow(iterations=rounds), sparsity=0.95)
        space, metrics = runs(stage, model=trained)
        assert metrics["density"] == 111 / SIZE
        kept_by[rounds] = opened(space.output)[1]["body.hidden1.weight"]
    assert not torch.equal(kept_by[1], kept_by[20])


@pytest.mark.parametrize("amounts", [{"fractions": {"head": 0.5}}, {"pattern": "2:4"}])
def test_rounds_need_a_sparsity_or_a_fraction(amounts):
    with pytest.raises(ValueError, match=r"in rounds needs sparsity or fraction, got \w+ with Synflow"):
        Prune(criterion=Synflow(), **amounts)


def test_ratios_that_another_stage_found_spread_the_sparsity(runs, trained, tmp_path):
    (tmp_path / "ratios.json").write_text('{"hidden1": 1, "head": 0.5}')
    stage = Prune(criterion=Magnitude(), sparsity=0.5, allocation=Given())
    stage.check(["model", "ratios"])
    # (1920 + 0.5 * 300) * factor = 1110, so hidden1 loses 1029.6 and head 80.4 weights
    assert kept(runs.output(stage, model=trained, ratios=tmp_path)) == {
        "body.hidden1.weight": 1920 - 1030,
        "head.weight": 300 - 80,
    }


@pytest.mark.parametrize(
    ("allocation", "reads", "how"),
    [
        (Given(), ["model"], "Given without"),
        (Given({"head": 1}), ["model", "ratios"], "Given with"),
        (Uniform(), ["model", "ratios"], "Uniform with"),
    ],
)
def test_ratios_are_read_where_and_only_where_they_are_needed(allocation, reads, how):
    with pytest.raises(ValueError, match=f"if and only if .* got {how} the role ratios"):
        Prune(criterion=Magnitude(), sparsity=0.5, allocation=allocation).check(reads)


def test_a_pattern_keeps_two_of_four_inputs_and_names_the_layers_it_does_not_fit(runs, trained):
    space, metrics = runs(Prune(criterion=Magnitude(), pattern="2:4"), model=trained)
    tensors, before = opened(space.output)[0], opened(trained)[0]
    assert kept(space.output) == {"body.hidden1.weight": 64 * 30 // 2, "head.weight": 300}
    groups, were = (named["body.hidden1.weight"].view(30, 16, 4).abs() for named in (tensors, before))
    assert torch.equal((groups > 0).sum(-1), torch.full((30, 16), 2))
    assert torch.equal(groups.sum(-1), were.topk(2).values.sum(-1))
    assert space.warnings == ["head stayed dense: the inputs are no multiple of what 2:4 groups"]
    assert metrics["density"] == (960 + 300) / SIZE


def test_a_shuffled_pruning_keeps_the_counts_of_each_layer_and_the_values_at_the_new_places(runs, trained):
    plain, mixed = (
        runs.output(Prune(criterion=Magnitude(), sparsity=0.9, shuffle=shuffle, seed=3), model=trained)
        for shuffle in (False, True)
    )
    assert kept(plain) == kept(mixed)
    tensors, masks = opened(mixed)
    before, _ = opened(trained)
    for name, mask in masks.items():
        assert not torch.equal(mask, opened(plain)[1][name])
        assert torch.equal(tensors[name], torch.where(mask, before[name], 0.0))


def test_shuffling_a_sparse_network_needs_values_for_all_weights(runs, trained):
    sparse = runs.output(Prune(criterion=Magnitude(), sparsity=0.5), model=trained)
    stage = Prune(criterion=Magnitude(), sparsity=0.9, shuffle=True)
    with pytest.raises(ValueError, match="shuffle needs a dense network, or values for all weights"):
        runs(stage, model=sparse)
    assert sum(kept(runs.output(stage, model=sparse, weights=trained)).values()) == 222


@pytest.mark.parametrize(
    "amounts",
    [
        {},
        {"sparsity": 0.5, "fraction": 0.2},
        {"fraction": 0.2, "fractions": {}},
        {"pattern": "2:4", "fraction": 0},
    ],
)
def test_exactly_one_amount_is_given(amounts):
    with pytest.raises(
        ValueError, match="exactly one of sparsity, fraction, fractions and pattern must be given, got"
    ):
        Prune(criterion=Magnitude(), **amounts)


@pytest.mark.parametrize(
    ("amounts", "rule"),
    [
        ({"sparsity": 1.0}, r"sparsity must be in \[0, 1\), got 1"),
        ({"fraction": -0.1}, "fraction must be in"),
        ({"fractions": {"head": 1.5}}, "head must be in"),
    ],
)
def test_an_impossible_amount_is_refused(amounts, rule):
    with pytest.raises(ValueError, match=rule):
        Prune(criterion=Magnitude(), **amounts)
