"""Whole trainings with every method: exact sparsity at every step, zeros that stay, interruptions unseen."""

from __future__ import annotations

import pytest
import torch

from orchestrator.build import build, find, names
from workloads.architectures.mlp import Mlp
from workloads.datasets.digits import Digits
from workloads.masks import prunable
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.optimizers.adam import Adam
from workloads.optimizers.sgd import Sgd
from workloads.schedules.constant import Constant
from workloads.sparse_training.base import Sparsify
from workloads.training import loop
from workloads.training.host import Host
from workloads.training.loop import train
from workloads.training.recipe import Recipe

ALL = names(Sparsify)
EPOCHS, STEPS = 4, 36
#: Digits in batches of 128 make nine steps an epoch, so what a method waits for must come soon.
SOON = {"interval": 4, "interval_late": 3, "latest": 0.5}
#: Those that start dense, or whose number of connections is not fixed beforehand.
STARTS_DENSE = {"fixed", "gradual", "early"}
FREE = {"flying_bird_plus"}


class Nobody:
    def due(self):
        return False

    def latest(self):
        return None


class Interrupted(Exception):
    pass


class StopsAfter:
    """Saves after one step of the training, which then ends; the next training goes on from there."""

    def __init__(self, step):
        self.step, self.saved, self.asked = step, None, 0

    def due(self):
        self.asked += 1
        return self.saved is None and self.asked == self.step

    def latest(self):
        return self.saved

    def save(self, step, folder):
        self.saved = (step, folder)

    def watch(self, done, total, **metrics):
        if self.saved and done == self.step:
            raise Interrupted


@pytest.fixture(scope="module")
def data():
    return Digits().learning()


def made(name):
    fields = find(Sparsify, name).__dataclass_fields__
    given = {key: value for key, value in SOON.items() if key in fields}
    return build(Sparsify, {"name": name, **({"sparsity": 0.8} if "sparsity" in fields else {}), **given})


def run(name, data, folder, checkpoint=None, *, seed=0, optimizer=None):
    checkpoint = checkpoint or Nobody()
    folder.mkdir(exist_ok=True)
    watch = getattr(checkpoint, "watch", lambda done, total, **metrics: None)
    recipe = Recipe(EPOCHS, 128, seed, optimizer or Sgd(), Constant(), CrossEntropy(), made(name))
    network = Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)
    return train(recipe, network, {}, data, Host("cpu", folder, checkpoint, watch))


def content(trained):
    masks = {f"mask/{name}": mask for name, mask in trained.masks.items()}
    return trained.network.state_dict() | masks


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("optimizer", [Sgd(), Adam()], ids=["sgd", "adam"])
@pytest.mark.parametrize("name", ALL)
def test_zeros_are_exact_and_stay_after_every_step(name, optimizer, data, tmp_path, monkeypatch):
    totals, step = [], loop._step

    def watched(recipe, state, batch):
        loss = step(recipe, state, batch)
        weights = prunable(state.network)
        for key, mask in state.masks.items():
            assert not weights[key][~mask].any()
            for memory in state.optimizer.state.get(weights[key], {}).values():
                assert memory.shape != mask.shape or not memory[~mask].any()
        totals.append(sum(int(mask.sum()) for mask in state.masks.values()))
        return loss

    monkeypatch.setattr(loop, "_step", watched)
    trained = run(name, data, tmp_path, optimizer=optimizer)
    size, expected = 64 * 20 + 20 * 10, round(0.2 * (64 * 20 + 20 * 10))
    assert len(totals) == STEPS
    if name == "fixed":
        assert trained.masks == {}
    elif name not in FREE:
        assert sum(int(mask.sum()) for mask in trained.masks.values()) == expected
    if name in STARTS_DENSE:
        assert totals == sorted(totals, reverse=True)
        assert totals[0] == (0 if name == "fixed" else size)
    elif name not in FREE:
        assert set(totals) == {expected}


@pytest.mark.parametrize("stop", [5, 18, 23])
@pytest.mark.parametrize("name", ALL)
def test_an_interrupted_training_ends_in_the_same_network(name, stop, data, tmp_path):
    whole = run(name, data, tmp_path / "whole")
    checkpoint = StopsAfter(stop)
    with pytest.raises(Interrupted):
        run(name, data, tmp_path / "first", checkpoint)
    resumed = run(name, data, tmp_path / "second", checkpoint)
    assert checkpoint.saved[0] == stop
    assert resumed.steps_here == STEPS - stop
    assert same(content(resumed), content(whole))
    assert resumed.metrics == whole.metrics
    assert resumed.updates == whole.updates


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_network_and_another_another(name, data, tmp_path):
    first, again = run(name, data, tmp_path), run(name, data, tmp_path)
    assert same(content(first), content(again))
    assert not same(content(first), content(run(name, data, tmp_path, seed=1)))


@pytest.mark.parametrize("name", ALL)
def test_nothing_changes_once_the_topology_has_settled(name, data, tmp_path, monkeypatch):
    masks, step = [], loop._step
    settled = made(name).settled

    def watched(recipe, state, batch):
        loss = step(recipe, state, batch)
        masks.append((batch.step, state.masks))
        return loss

    monkeypatch.setattr(loop, "_step", watched)
    last = run(name, data, tmp_path).masks
    late = [found for at, found in masks if at >= settled * STEPS + 1]
    assert settled == 1 or late
    assert all(found is last or same(found, last) for found in late)
