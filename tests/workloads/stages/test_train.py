"""Training as a stage: it learns, goes on from networks and interruptions, and says what it did."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.stage import Stop
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.pgd import Pgd
from workloads.averaging.cigl import Cigl
from workloads.averaging.ema import Ema
from workloads.averaging.moon import Moon
from workloads.averaging.swa import Swa
from workloads.datasets.digits import Digits
from workloads.objectives.adversarial import Adversarial
from workloads.objectives.unknown_aware import UnknownAware
from workloads.optimizers.adam import Adam
from workloads.optimizers.sgd import Sgd
from workloads.pruning.magnitude import Magnitude
from workloads.sparse_training.rigl import Rigl
from workloads.sparse_training.set import Set
from workloads.sparse_training.static import Static
from workloads.sparsity.uniform import Uniform
from workloads.stages.classify import Classify
from workloads.stages.initialise import Initialise
from workloads.stages.prune import Prune

STEPS = 18


def test_an_mlp_learns_the_digits(runs):
    space, metrics = runs(runs.small(architecture=Mlp(), epochs=15))
    assert metrics["validation.accuracy"] > 0.93
    assert metrics["train.loss"] < 0.1
    _, clean = runs(Classify(), model=space.output)
    assert clean["test.accuracy"] > 0.93
    assert clean["test.nll"] < 0.3


def test_a_sparse_convolutional_network_learns_the_digits(runs):
    stage = runs.small(architecture=Resnet8(width=8), epochs=12, sparsify=Rigl(sparsity=0.8, interval=8))
    space, metrics = runs(stage)
    assert metrics["validation.accuracy"] > 0.9
    assert metrics["updates"] == 11  # steps 0, 8, ... 80 of 108, of which 81 may change the topology
    assert space.warnings == []


@pytest.mark.parametrize("sparsify", [Static, Rigl])
def test_layers_that_sparse_training_leaves_a_single_weight_are_named(sparsify, runs):
    fields = {"interval": 1} if sparsify is Rigl else {}
    # 4 of 64 * 30 + 30 * 10 weights stay
    space, _ = runs(runs.small(sparsify=sparsify(sparsity=0.998, allocation=Uniform(), **fields)))
    assert space.warnings == ["the masks leave a single weight in head"]


def test_the_metrics_say_what_the_network_has_been_through(runs):
    first, metrics = runs(runs.small())
    assert metrics.keys() == {
        "train.loss",
        "validation.accuracy",
        "validation.loss",
        "epochs",
        "training_flops",
        "density",
        "parameters",
        "nonzeros",
        "inference_flops",
        "inference_flops_dense",
        "bytes",
        "updates",
        "averaged",
    }
    assert (metrics["epochs"], metrics["density"], metrics["updates"]) == (2, 1, 0)
    space, metrics = runs(runs.small(epochs=3, architecture=None, dataset=None), model=first.output)
    assert metrics["epochs"] == 5
    assert space.measured.keys() == {"steps", "seconds_per_epoch", "images_per_second", "latency_seconds"}
    assert space.measured["steps"] == 3 * 9  # 1,197 images in batches of 128; fewer after an interruption


RECIPES = {
    "dense": {},
    "adam": {"optimizer": Adam(), "sparsify": Static(sparsity=0.5)},
    "rigl": {"architecture": Resnet8(width=4), "sparsify": Rigl(sparsity=0.8, interval=4)},
    "set": {"sparsify": Set(sparsity=0.5, interval=3)},
    "adversarial": {"objective": Adversarial(attack=Pgd(epsilon=0.1, steps=2), mix=0.5)},
    "swa": {"averaging": Swa(begin=0.4), "architecture": Resnet8(width=4)},
    "ema": {"averaging": Ema(decay=0.8)},
    "cigl": {"averaging": Cigl(begin=0.4), "sparsify": Rigl(sparsity=0.8, interval=4)},
    "moon": {
        "architecture": Mlp(hidden=(30,), unknown_outputs=1),
        "objective": UnknownAware(),
        "averaging": Moon(begin=0.5, snapshots="ten_per_epoch", batch_norm="objective"),
        "sparsify": Set(sparsity=0.5, interval=3, end=0.5),
    },
}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("stops", [(1,), (9,), (13,), (STEPS - 1,), (STEPS,), (2, 8, 10)])
def test_an_interrupted_training_ends_in_the_same_bytes(recipe, stops, runs):
    stage = runs.small(**RECIPES[recipe])
    whole, expected = runs(stage)
    watch = runs.watch(*stops)
    for _ in stops:
        with pytest.raises(Stop):
            runs(stage, watch=watch)
    resumed, metrics = runs(stage, watch=watch)
    assert watch.saved == list(stops)
    assert runs.files(resumed.output) == runs.files(whole.output)
    assert metrics == expected
    assert resumed.warnings == whole.warnings


def test_a_resumed_training_repeats_no_step(runs):
    watch = runs.watch(13)
    with pytest.raises(Stop):
        runs(runs.small(), watch=watch)
    runs(runs.small(), watch=watch)
    assert [done for done, _, _ in watch.reports] == list(range(1, STEPS + 1))
    assert {total for _, total, _ in watch.reports} == {STEPS}


def test_progress_carries_the_loss_and_the_validation_at_the_end_of_epochs(runs):
    watch = runs.watch()
    runs(runs.small(), watch=watch)
    assert [done for done, _, metrics in watch.reports if "train.loss" in metrics] == [9, 18]
    assert [done for done, _, metrics in watch.reports if "validation.accuracy" in metrics] == [9]


def test_a_fresh_training_starts_where_initialise_of_the_same_seed_does(runs):
    start = runs.output(Initialise(architecture=Mlp(hidden=(30,)), dataset=Digits(), seed=0))
    assert runs.files(runs.output(runs.small(), model=start)) == runs.files(runs.output(runs.small()))


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"batch_size": 64}, {"optimizer": Sgd(lr=0.05)}, {"epochs": 3}]
)
def test_another_field_gives_another_network(change, runs, trained):
    assert runs.files(runs.output(runs.small(**change))) != runs.files(trained)


@pytest.mark.parametrize(
    "sparsify",
    [Static(sparsity=0.9), Set(sparsity=0.9, interval=3), Rigl(sparsity=0.9, interval=3)],
    ids=["static", "set", "rigl"],
)
@pytest.mark.parametrize("optimizer", [Sgd(), Adam()], ids=["sgd", "adam"])
def test_a_sparse_training_publishes_exact_zeros_at_the_asked_sparsity(sparsify, optimizer, runs):
    space, metrics = runs(runs.small(sparsify=sparsify, optimizer=optimizer))
    tensors = load_file(space.output / "model.safetensors")
    masks = {name.removeprefix("mask/"): mask for name, mask in tensors.items() if name.startswith("mask/")}
    assert masks.keys() == {"body.hidden1.weight", "head.weight"}
    assert all(not tensors[name][~mask].any() for name, mask in masks.items())
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.1 * (64 * 30 + 30 * 10))
    assert metrics["density"] == round(0.1 * 2220) / 2220


def test_training_on_keeps_the_masks_of_a_pruned_network(runs, trained):
    pruned = runs.output(Prune(criterion=Magnitude(), sparsity=0.8), model=trained)
    tuned, metrics = runs(runs.small(seed=3), model=pruned)
    before, after = (load_file(folder / "model.safetensors") for folder in (pruned, tuned.output))
    masks = [name for name in before if name.startswith("mask/")]
    assert len(masks) == 2
    assert all(torch.equal(before[name], after[name]) for name in masks)
    assert all(not after[name.removeprefix("mask/")][~after[name]].any() for name in masks)
    assert not torch.equal(before["head.weight"], after["head.weight"])
    assert math.isclose(metrics["density"], 0.2)
    assert metrics["epochs"] == 4


def test_a_split_smaller_than_a_batch_is_one_batch(runs):
    watch = runs.watch()
    runs(runs.small(batch_size=5000), watch=watch)
    assert [done for done, _, _ in watch.reports] == [1, 2]


def test_a_batch_of_one_image_works_with_batch_norm(runs):
    # 1,197 images in batches of 1,196 would leave one over: batch norm must never see it alone.
    _, metrics = runs(runs.small(architecture=Resnet8(width=4), batch_size=1196, epochs=1))
    assert math.isfinite(metrics["train.loss"])


def test_an_unknown_output_is_trained_like_any_other(runs):
    space, metrics = runs(runs.small(architecture=Mlp(hidden=(30,), unknown_outputs=1), epochs=5))
    assert load_file(space.output / "model.safetensors")["head.weight"].shape == (11, 30)
    assert metrics["validation.accuracy"] > 0.8


def test_a_loss_that_is_not_finite_names_epoch_and_step(runs):
    with pytest.raises(RuntimeError, match=r"loss must stay finite, got (nan|inf) in epoch 1 at step \d+"):
        runs(runs.small(architecture=Mlp(), optimizer=Sgd(lr=1e20)))


def test_too_few_changes_of_the_topology_are_said(runs):
    space, metrics = runs(runs.small(sparsify=Rigl(sparsity=0.5)))
    assert metrics["updates"] == 1
    assert space.warnings == [
        "the topology changed 1 times in this training of 18 steps; "
        "fewer than 10 changes hardly tell dynamic from static sparse training"
    ]


def test_what_disagrees_with_the_network_that_is_read_is_refused(runs, trained):
    with pytest.raises(
        ValueError, match=r"architecture must be that of the network that is read, .*'hidden': \[30\]"
    ):
        runs(runs.small(architecture=Mlp()), model=trained)
    with pytest.raises(ValueError, match="dataset must be that of the network"):
        runs(runs.small(dataset=Digits(keep=(0, 1))), model=trained)


def test_a_fresh_training_needs_architecture_and_dataset():
    from workloads.stages.train import Train

    with pytest.raises(ValueError, match="needs architecture and dataset"):
        Train(seed=0, epochs=1, architecture=Mlp()).check([])
    Train(seed=0, epochs=1).check(["model"])


@pytest.mark.parametrize("field", ["epochs", "batch_size"])
def test_a_number_below_one_is_refused(field, runs):
    with pytest.raises(ValueError, match=f"{field} must be at least 1, got 0"):
        runs.small(**{field: 0})
