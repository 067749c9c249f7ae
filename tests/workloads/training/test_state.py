"""The state of a training: dead weights stay dead, and a change of the topology touches only what it must."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch.nn.functional import cross_entropy

from orchestrator.build import build, names
from workloads.architectures.mlp import Mlp
from workloads.datasets.base import LearningData
from workloads.datasets.digits import Digits
from workloads.masks import keep_largest
from workloads.objectives.base import Objective
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.optimizers.base import Optimizer
from workloads.optimizers.sgd import Sgd
from workloads.schedules.constant import Constant
from workloads.schedules.steps import Steps
from workloads.sparse_training.fixed import Fixed
from workloads.sparse_training.rigl import Rigl
from workloads.sparse_training.set import Set
from workloads.training import loop
from workloads.training.host import Host
from workloads.training.loop import train
from workloads.training.recipe import Recipe
from workloads.training.state import State


class Nobody:
    def due(self):
        return False

    def latest(self):
        return None


@pytest.fixture(scope="module")
def data():
    return Digits().learning()


@pytest.fixture
def host(tmp_path):
    return Host("cpu", tmp_path, Nobody(), lambda done, total, **metrics: None)


def memories(state, weight):
    return [value for value in state.optimizer.state[weight].values() if value.shape == weight.shape]


def stepped(optimizer, mask, steps=3):
    """A state whose network took some steps under a mask of the head."""
    network = Mlp(hidden=()).network((1, 2, 2), 3, 0)
    state = State(network, optimizer.build(network.parameters()), torch.zeros(1))
    state.adopt({"head.weight": mask})
    for step in range(steps):
        network.head.weight.grad = torch.sin(torch.arange(12.0) + step).view(3, 4)
        state.mask_gradients()
        state.optimizer.step()
    return state


@pytest.mark.parametrize("name", names(Optimizer))
def test_weights_and_momenta_outside_the_mask_are_exactly_zero(name):
    mask = keep_largest(torch.arange(12.0).view(3, 4) % 5, 6)
    state = stepped(build(Optimizer, name), mask)
    weight = state.network.head.weight
    assert not weight[~mask].any()
    assert weight[mask].all()
    assert memories(state, weight)
    assert all(not memory[~mask].any() and memory[mask].all() for memory in memories(state, weight))


@pytest.mark.parametrize("name", names(Optimizer))
def test_a_change_zeroes_what_goes_starts_what_comes_at_zero_and_leaves_the_rest(name):
    before = torch.tensor([[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]], dtype=torch.bool)
    after = torch.tensor([[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]], dtype=torch.bool)
    state = stepped(build(Optimizer, name), before)
    weight = state.network.head.weight
    values = [weight.detach().clone(), *(memory.clone() for memory in memories(state, weight))]
    state.adopt({"head.weight": after})
    for old, new in zip(values, [weight, *memories(state, weight)], strict=True):
        assert torch.equal(new[before & after], old[before & after])
        assert not new[before & ~after].any()
        assert not new[~before & after].any()


def test_a_dense_network_is_not_multiplied_by_anything():
    network = Mlp(hidden=()).network((1, 2, 2), 3, 0)
    state = State(network, Sgd().build(network.parameters()), torch.zeros(1))
    state.adopt({"head.weight": torch.ones(3, 4, dtype=torch.bool)})
    assert state._masked == []
    network.head.weight.grad = torch.ones(3, 4)
    state.mask_gradients()
    assert network.head.weight.grad.all()


def recipe(sparsify, **fields):
    return Recipe(
        **{
            "epochs": 2,
            "batch_size": 128,
            "seed": 0,
            "optimizer": Sgd(),
            "schedule": Constant(),
            "objective": CrossEntropy(),
            "sparsify": sparsify,
        }
        | fields
    )


def observed(monkeypatch, sparsify, data, host):
    """Masks, weights and momenta of the first layer before and after every step of a training."""
    seen = []
    step = loop._step

    def snapshot(state):
        weight = state.network.body.hidden1.weight
        momentum = (
            state.optimizer.state[weight].get("momentum_buffer") if weight in state.optimizer.state else None
        )
        return (
            {name: mask.clone() for name, mask in state.masks.items()},
            weight.detach().clone(),
            torch.zeros_like(weight) if momentum is None else momentum.clone(),
        )

    def watched(given, state, batch):
        before = snapshot(state)
        loss = step(given, state, batch)
        seen.append((before, snapshot(state), loss))
        return loss

    monkeypatch.setattr(loop, "_step", watched)
    train(recipe(sparsify), Mlp(hidden=(20,)).network((1, 8, 8), 10, 0), {}, data, host)
    return seen


@pytest.mark.parametrize("sparsify", [Rigl, Set])
def test_zeros_stay_zero_and_counts_stay_after_every_single_step(sparsify, monkeypatch, data, host):
    seen = observed(monkeypatch, sparsify(sparsity=0.7, interval=4, end=0.75), data, host)
    counts = {name: int(mask.sum()) for name, mask in seen[0][0][0].items()}
    changed = []
    for step, ((masks_before, _, _), (masks, weight, momentum), _) in enumerate(seen):
        assert {name: int(mask.sum()) for name, mask in masks.items()} == counts
        assert not weight[~masks["body.hidden1.weight"]].any()
        assert not momentum[~masks["body.hidden1.weight"]].any()
        if any(not torch.equal(masks[name], masks_before[name]) for name in masks):
            changed.append(step)
    assert changed == [0, 4, 8, 12]  # nothing after 0.75 * 18 = 13.5 steps


def test_rigl_takes_no_step_of_the_optimizer_when_it_changes_the_topology(monkeypatch, data, host):
    seen = observed(monkeypatch, Rigl(sparsity=0.7, interval=4), data, host)
    for step in (4, 8, 12):
        (before, old, old_momentum), (after, new, momentum), _ = seen[step]
        both = before["body.hidden1.weight"] & after["body.hidden1.weight"]
        grown = after["body.hidden1.weight"] & ~before["body.hidden1.weight"]
        assert grown.any()
        assert torch.equal(new[both], old[both])
        assert torch.equal(momentum[both], old_momentum[both])
        assert not new[grown].any()
        assert not momentum[grown].any()


def test_set_takes_the_step_first(monkeypatch, data, host):
    seen = observed(monkeypatch, Set(sparsity=0.7, interval=4), data, host)
    (before, old, _), (after, new, _), _ = seen[4]
    both = before["body.hidden1.weight"] & after["body.hidden1.weight"]
    assert not torch.equal(new[both], old[both])
    assert not new[after["body.hidden1.weight"] & ~before["body.hidden1.weight"]].any()


def test_the_schedule_scales_the_rate_of_every_step(monkeypatch, data, host):
    rates = []
    step = loop._step

    def watched(given, state, batch):
        loss = step(given, state, batch)
        rates.append(state.optimizer.param_groups[0]["lr"])
        return loss

    monkeypatch.setattr(loop, "_step", watched)
    network = Mlp(hidden=()).network((1, 8, 8), 10, 0)
    train(recipe(Fixed(), schedule=Steps(milestones=(0.5,))), network, {}, data, host)
    assert rates == pytest.approx([0.1] * 9 + [0.01] * 9)


def test_the_mean_loss_of_an_epoch_is_that_of_its_steps(monkeypatch, data, host):
    losses = []
    step = loop._step

    def watched(given, state, batch):
        loss = step(given, state, batch)
        losses.append(loss.item())
        return loss

    monkeypatch.setattr(loop, "_step", watched)
    few = LearningData(data.train, data.validation, 10, "")
    found = train(recipe(Fixed()), Mlp(hidden=()).network((1, 8, 8), 10, 0), {}, few, host)
    assert found.metrics["train.loss"] == pytest.approx(sum(losses[9:]) / 9)


@dataclass(frozen=True)
class Remembering(Objective):
    """Weighs the loss by how often it was asked: a resumed training differs if that is forgotten."""

    def loss(self, network, batch, memory):
        memory["asked"] = memory.get("asked", torch.zeros(())) + 1
        return memory["asked"] * cross_entropy(network(batch.images), batch.labels)


def test_what_an_objective_remembers_survives_an_interruption(data, tmp_path):
    class Interrupted(Exception):
        pass

    class Once:
        def __init__(self):
            self.saved = None

        def due(self):
            return self.saved is None

        def latest(self):
            return self.saved

        def save(self, step, folder):
            self.saved = (step, folder)

    def run(checkpoint, watch, scratch):
        scratch.mkdir()
        network = Mlp(hidden=()).network((1, 8, 8), 10, 0)
        host = Host("cpu", scratch, checkpoint, watch)
        made = recipe(Fixed(), objective=Remembering(), optimizer=Sgd(lr=0.001))
        return train(made, network, {}, data, host).network.head.weight

    def stop(done, total, **metrics):
        raise Interrupted

    def go_on(done, total, **metrics):
        pass

    checkpoint = Once()
    with pytest.raises(Interrupted):
        run(checkpoint, stop, tmp_path / "first")
    resumed = run(checkpoint, go_on, tmp_path / "second")
    assert checkpoint.saved[0] == 1
    assert torch.equal(resumed, run(Nobody(), go_on, tmp_path / "whole"))


@dataclass(frozen=True)
class Recording(Objective):
    """Plain cross entropy that keeps every batch."""

    batches: list

    def loss(self, network, batch, memory):
        self.batches.append(batch)
        return cross_entropy(network(batch.images), batch.labels)


def test_every_batch_says_what_it_holds_and_where_it_stands(data, host):
    made = recipe(Fixed(), objective=Recording([]))
    train(made, Mlp(hidden=()).network((1, 8, 8), 10, 0), {}, data, host)
    batches = made.objective.batches
    assert [(batch.step, batch.epoch) for batch in batches] == [(step, step // 9) for step in range(18)]
    assert {(batch.steps, batch.epochs) for batch in batches} == {(18, 2)}
    assert len({batch.seed for batch in batches}) == 18
    for batch in batches:
        assert torch.equal(batch.images, data.train.images[batch.samples].float() / 255)
        assert torch.equal(batch.labels, data.train.labels[batch.samples])
