"""One change of each dynamic method, by hand; and the cubic of gradual pruning."""

from __future__ import annotations

import pytest
import torch

from orchestrator.build import build, names
from workloads.architectures.lenet import Lenet
from workloads.architectures.mlp import Mlp
from workloads.masks import prunable
from workloads.sparse_training.base import Moment
from workloads.sparse_training.flying_bird import FlyingBird
from workloads.sparse_training.flying_bird_plus import GAPS, LOSSES, FlyingBirdPlus
from workloads.sparse_training.gradual import Gradual
from workloads.sparse_training.itop import Itop
from workloads.sparse_training.rigl import Rigl
from workloads.sparse_training.snfs import Snfs, shared_out
from workloads.sparse_training.static import Static
from workloads.sparsity.base import Allocation

# `given` names shares of its own; every other allocation takes any network.
ALLOCATIONS = [name for name in names(Allocation) if name != "given"]


def mask(*places):
    return torch.tensor(places, dtype=torch.bool)


def moment(step, steps=1000, seed=0):
    return Moment(step, steps, seed)


# SNFS


def test_snfs_remembers_the_running_mean_of_the_dense_gradients():
    memory = {}
    sparsify = Snfs(sparsity=0.5, momentum=0.75)
    for value in (4.0, 8.0):
        sparsify.observe({"w": torch.tensor([value])}, memory)
    assert memory["momentum/w"].item() == 0.75 * (0.25 * 4) + 0.25 * 8


def test_snfs_grows_where_the_momentum_is_largest_whatever_the_last_gradient():
    sparsify, memory = Snfs(sparsity=0.5, alpha=0.34, momentum=0.9), {}
    sparsify.observe({"w": torch.tensor([1.0, 1.0, 1.0, 0.0, -9.0, 0.0])}, memory)
    last = {"w": torch.tensor([0.0, 0.0, 0.0, 5.0, 0.0, 0.0])}
    sparsify.observe(last, memory)
    weights = {"w": torch.tensor([0.5, -0.1, 2.0, 0.0, 0.0, 0.0])}
    found = sparsify.update(weights, last, {"w": mask(1, 1, 1, 0, 0, 0)}, moment(0), memory)
    assert found["w"].int().tolist() == [1, 0, 1, 0, 1, 0]


def test_snfs_moves_connections_to_the_layer_with_the_larger_mean_momentum():
    sparsify, memory = Snfs(sparsity=0.6, alpha=0.5), {}
    masks = {"a": mask(*[1] * 4, *[0] * 6), "b": mask(*[1] * 4, *[0] * 6)}
    sparsify.observe({"a": torch.full((10,), 3.0), "b": torch.full((10,), 1.0)}, memory)
    weights = {name: torch.arange(4, -6, -1.0) for name in masks}
    found = sparsify.update(weights, weights, masks, moment(0), memory)
    # two of four go in each; of these four three quarters come back in a
    assert {name: int(kept.sum()) for name, kept in found.items()} == {"a": 5, "b": 3}


def test_snfs_lets_a_busy_layer_that_is_nearly_full_drop_no_more_than_it_lacks():
    sparsify, memory = Snfs(sparsity=0.5, alpha=0.5), {}
    masks = {"a": mask(*[1] * 9, 0), "b": mask(*[1] * 4, *[0] * 6)}
    sparsify.observe({"a": torch.full((10,), 3.0), "b": torch.full((10,), 1.0)}, memory)
    dropped, grown = sparsify.exchange(masks, moment(0), memory)
    assert dropped == {"a": 0, "b": 2}  # int(0.1 * 9) and int(0.5 * 4)
    assert grown == {"a": 1, "b": 1}  # 1.5 wanted for a, where there is room for one


@pytest.mark.parametrize(
    ("shares", "room", "expected"),
    [
        ({"a": 1, "b": 1}, {"a": 9, "b": 9}, {"a": 4, "b": 4}),
        ({"a": 3, "b": 1}, {"a": 2, "b": 9}, {"a": 2, "b": 6}),
        ({"a": 4, "b": 2, "c": 2}, {"a": 1, "b": 3, "c": 9}, {"a": 1, "b": 3, "c": 4}),
        ({"a": 1, "b": 0}, {"a": 8, "b": 8}, {"a": 8, "b": 0}),
    ],
)
def test_what_exceeds_the_room_of_a_layer_goes_to_the_others(shares, room, expected):
    assert shared_out(8, shares, room) == expected


def test_connections_of_layers_without_momentum_find_a_place():
    assert sum(shared_out(8, {"a": 1, "b": 0, "c": 0}, {"a": 2, "b": 9, "c": 9}).values()) == 8


# How much was explored


def test_the_metric_explored_counts_every_place_that_was_ever_connected():
    sparsify, memory = Rigl(sparsity=0.5, alpha=0.34), {}
    masks = {"w": mask(1, 1, 1, 0, 0, 0)}
    weights = {"w": torch.tensor([0.5, -0.1, 2.0, 0.0, 0.0, 0.0])}
    assert sparsify.report(masks, memory) == {"explored": 0.5}
    for gradient, share in (([0, 0, 0, 0, 9.0, 0], 4 / 6), ([0, 0, 0, 9.0, 0, 0], 5 / 6)):
        masks = sparsify.update(weights, {"w": torch.tensor(gradient)}, masks, moment(0), memory)
        assert sparsify.report(masks, memory) == {"explored": share}
        weights = {"w": torch.where(masks["w"], torch.tensor([0.5, 3.0, 2.0, 3.0, 0.1, 3.0]), 0.0)}


@pytest.mark.parametrize("kind", [Itop, FlyingBird])
def test_only_growth_by_gradient_needs_dense_gradients(kind):
    by_chance, by_gradient = (kind(sparsity=0.5, interval=10, grow=grow) for grow in ("random", "gradient"))
    assert not any(by_chance.dense_gradient(step, 100) for step in range(100))
    assert [step for step in range(50) if by_gradient.dense_gradient(step, 100)] == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("kind", [Itop, FlyingBird])
def test_the_drop_fraction_falls_to_its_floor_at_the_end_of_the_training(kind):
    sparsify = kind(sparsity=0.5)
    found = [round(sparsify.fraction(step, 1000), 4) for step in (0, 500, 1000)]
    assert found == [0.5, 0.2525, 0.005]


# Flying Bird


def test_flying_bird_changes_more_rarely_in_the_second_half():
    sparsify = FlyingBird(sparsity=0.5, interval=20, interval_late=30)
    assert [step for step in range(200) if sparsify.due(step, 200)] == [0, 20, 40, 60, 80, 120, 150, 180]


@pytest.mark.parametrize(
    ("gaps", "losses", "step", "expected"),
    [
        ([0, 0, 0, 0, 0], [5, 4, 3, 2, 1], 600, (10, 10)),  # nothing rises
        ([0, 1, 2, 2, 2], [5, 4, 3, 2, 1], 600, (14, 10)),  # the gap does in two of four epochs
        ([0, 1, 1, 1, 1], [5, 4, 3, 2, 1], 600, (10, 10)),  # in one of four
        ([0, 0, 0, 0, 0], [1, 1, 1, 0, 0], 600, (10, 10)),  # the loss stands still or rises: see below
        ([9, 9, 0, 1, 2, 3, 4], [9, 9, 5, 4, 3, 2, 1], 600, (14, 10)),  # what is before the window is past
        ([0, 1, 2, 3, 4], [1, 2, 3, 4, 5], 600, (14, 10)),
        ([0, 1, 2, 3, 4], [1, 2, 3, 4, 5], 499, (10, 10)),  # too early
        ([1], [1], 600, (10, 10)),  # no change yet
    ],
)
def test_flying_bird_plus_drops_more_while_the_gap_rises(gaps, losses, step, expected):
    # 0.05 * 10 connections more are none: growth has its own test
    memory = {GAPS: torch.tensor(gaps, dtype=torch.float64), LOSSES: torch.tensor(losses).double()}
    sparsify = FlyingBirdPlus(sparsity=0.5)
    active = round(10 / sparsify.fraction(step, 1000)) + 1
    masks = {"w": mask(*[1] * active, *[0] * 100)}
    dropped, grown = sparsify.exchange(masks, moment(step), memory)
    assert (dropped["w"], grown["w"]) == expected


def test_flying_bird_plus_grows_more_while_the_validation_loss_does_not_fall():
    memory = {GAPS: torch.zeros(5).double(), LOSSES: torch.tensor([1, 1, 2, 1, 0.5]).double()}
    sparsify = FlyingBirdPlus(sparsity=0.5, extra_grown=0.5, begin=0.0)
    masks = {"w": mask(*[1] * 20, *[0] * 20)}
    assert sparsify.exchange(masks, moment(0), memory) == ({"w": 10}, {"w": 15})
    nearly_full = {"w": mask(*[1] * 20, *[0] * 2)}
    assert sparsify.exchange(nearly_full, moment(0), memory) == ({"w": 10}, {"w": 12})


# Gradual pruning


def test_the_sparsity_follows_the_published_cubic():
    sparsify = Gradual(sparsity=0.9, end=0.8)
    found = [sparsify.target(step, 1000, 0.0) for step in (0, 200, 400, 600, 800)]
    assert found == pytest.approx([0, 0.5203125, 0.7875, 0.8859375, 0.9])
    # from an initial sparsity, and in a window: 0.9 + (0.5 - 0.9) * 0.5**3
    assert Gradual(sparsity=0.9, begin=0.2, end=0.8).target(500, 1000, 0.5) == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("interval", "steps", "expected"),
    [
        (100, 1000, [300, 400, 500, 600, 700]),
        (200, 1000, [400, 600, 700]),  # the last level is reached though the interval does not divide
        (100, 10, [7]),
        (1, 1, [0]),
    ],
)
def test_pruning_happens_every_interval_and_at_the_end(interval, steps, expected):
    sparsify = Gradual(sparsity=0.9, begin=0.2, end=0.7, interval=interval)
    assert [step for step in range(steps) if sparsify.due(step, steps)] == expected


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_every_level_is_exact_and_nothing_comes_back(allocation):
    sparsify = Gradual(sparsity=0.9, allocation=build(Allocation, allocation), interval=7, end=1.0)
    network = Lenet().network((1, 8, 8), 10, 0)
    weights = {name: weight.detach() for name, weight in prunable(network).items()}
    masks, memory = sparsify.start(network, {}, 0), {}
    size = sum(kept.numel() for kept in masks.values())
    for step in (step for step in range(200) if sparsify.due(step, 200)):
        found = sparsify.update(weights, {}, masks, moment(step, 200), memory)
        assert all(not (found[name] & ~masks[name]).any() for name in masks)
        total = round((1 - sparsify.target(step, 200, 0.0)) * size)
        assert sum(int(kept.sum()) for kept in found.values()) == total
        masks = found
    assert total == round(0.1 * size)


def test_gradual_pruning_goes_on_from_the_sparsity_a_network_has():
    network = Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)
    masks = Static(sparsity=0.5).start(network, {}, 0)
    weights = {name: weight.detach() for name, weight in prunable(network).items()}
    sparsify, memory = Gradual(sparsity=0.9, interval=1, end=1.0), {}
    masks = sparsify.start(network, masks, 0)
    found = sparsify.update(weights, {}, masks, moment(1, 1001), memory)
    kept = sum(int(left.sum()) for left in found.values()) / sum(left.numel() for left in found.values())
    assert kept == pytest.approx(0.5 - 0.4 * (1 - 0.999**3), abs=1e-3)
    with pytest.raises(ValueError, match=r"sparsity must be at least .* 0.5, got 0.2"):
        Gradual(sparsity=0.2).start(network, Static(sparsity=0.5).start(network, {}, 0), 0)


@pytest.mark.parametrize(
    ("kind", "fields", "rule"),
    [
        (Snfs, {"momentum": 1}, "momentum must be in"),
        (Gradual, {"begin": 0.8}, "0 <= begin < end <= 1"),
        (Gradual, {"interval": 0}, "interval must be at least 1"),
        (FlyingBird, {"interval_late": 0}, "interval_late must be at least 1"),
        (FlyingBirdPlus, {"rises": 2}, "rises must be in"),
        (FlyingBirdPlus, {"window": 0}, "window must be at least 1"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_rule(kind, fields, rule):
    with pytest.raises(ValueError, match=rule):
        kind(sparsity=0.5, **fields)
