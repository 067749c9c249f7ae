"""Lottery tickets: what the survivors are set back to, and a training that stops where it is set back to."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.stage import Stop
from workloads.architectures.mlp import Mlp
from workloads.datasets.digits import Digits
from workloads.optimizers.sgd import Sgd
from workloads.pruning.magnitude import Magnitude
from workloads.sparse_training.rigl import Rigl
from workloads.stages.initialise import Initialise
from workloads.stages.prune import Prune

NO_MOMENTUM = Sgd(lr=0.1, momentum=0.0, nesterov=False)


def weights(folder):
    return {
        name: tensor
        for name, tensor in load_file(folder / "model.safetensors").items()
        if not name.startswith("mask/")
    }


def same(first, second):
    one, two = weights(first), weights(second)
    return all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("stop", [5, 9, 14])
def test_a_training_that_stops_and_one_that_goes_on_are_the_whole_training(stop, runs):
    whole, metrics = runs(runs.small(optimizer=NO_MOMENTUM))
    first, begun = runs(runs.small(optimizer=NO_MOMENTUM, stop_at=stop))
    second, ended = runs(runs.small(optimizer=NO_MOMENTUM, start_at=stop), model=first.output)
    assert same(whole.output, second.output)
    assert not same(whole.output, first.output)
    assert ended["validation.loss"] == metrics["validation.loss"]
    assert begun["epochs"] == -(-stop // 9)  # an epoch that has begun counts
    assert ended["epochs"] == metrics["epochs"] == 2
    assert ended["training_flops"] == pytest.approx(metrics["training_flops"])


def test_a_part_of_a_training_reports_the_loss_of_its_own_steps(runs):
    full = runs(runs.small(optimizer=NO_MOMENTUM, epochs=1))[1]["train.loss"]
    first, begun = runs(runs.small(optimizer=NO_MOMENTUM, epochs=1, stop_at=4))
    _, ended = runs(runs.small(optimizer=NO_MOMENTUM, epochs=1, start_at=4), model=first.output)
    assert (4 * begun["train.loss"] + 5 * ended["train.loss"]) / 9 == pytest.approx(full)


def watch_from(runs, start, stop):
    """A watch of a training whose first step is ``start`` that ends its first attempt after step ``stop``."""
    watch = runs.watch(stop)
    latest = watch.latest

    def counted():
        found = latest()
        watch.begun = watch.begun or start
        return found

    watch.latest = counted
    return watch


@pytest.mark.parametrize("stop", [8, 13])
def test_a_part_of_a_training_survives_an_interruption(stop, runs):
    first = runs.output(runs.small(stop_at=5))
    stage = runs.small(start_at=5, stop_at=16, sparsify=Rigl(sparsity=0.5, interval=3))
    whole, metrics = runs(stage, model=first)
    watch = watch_from(runs, 5, stop)
    with pytest.raises(Stop):
        runs(stage, model=first, watch=watch)
    resumed, again = runs(stage, model=first, watch=watch)
    assert watch.saved == [stop]
    assert runs.files(whole.output) == runs.files(resumed.output)
    assert metrics == again


def test_survivors_are_rewound_to_the_start_to_another_start_to_an_early_step_or_left_as_they_are(runs):
    trained = runs.output(runs.small())
    start, other = (
        runs.output(Initialise(architecture=Mlp(hidden=(30,)), dataset=Digits(), seed=0, stream=stream))
        for stream in (0, 1)
    )
    early = runs.output(runs.small(stop_at=4))
    ticket = Prune(criterion=Magnitude(), fraction=0.2)
    continued = runs.output(ticket, model=trained)
    masks = load_file(continued / "model.safetensors")
    for source, folder in {
        trained: continued,
        start: runs.output(ticket, model=trained, weights=start),
        other: runs.output(ticket, model=trained, weights=other),
        early: runs.output(ticket, model=trained, weights=early),
    }.items():
        name = "body.hidden1.weight"
        mask = masks[f"mask/{name}"]
        assert torch.equal(weights(folder)[name], torch.where(mask, weights(source)[name], 0.0))


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"start_at": -1}, "start_at must not be negative, got -1"),
        ({"stop_at": 0}, "stop_at must be above start_at, 0, got 0"),
        ({"start_at": 5, "stop_at": 5}, "stop_at must be above start_at, 5, got 5"),
    ],
)
def test_an_impossible_part_is_refused(fields, rule, runs):
    with pytest.raises(ValueError, match=rule):
        runs.small(**fields)


@pytest.mark.parametrize("fields", [{"stop_at": 19}, {"start_at": 18}])
def test_a_part_outside_of_the_training_is_refused(fields, runs):
    with pytest.raises(ValueError, match="a training of 18 steps must begin before it ends, got"):
        runs(runs.small(**fields))
