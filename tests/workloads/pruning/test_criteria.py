"""Every pruning criterion, and how much a pruning takes."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from orchestrator.build import build, find, names
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.datasets.digits import Digits
from workloads.masks import keep_largest, prunable
from workloads.pruning._amounts import by_fraction, by_layer, to_sparsity
from workloads.pruning.base import Criterion
from workloads.pruning.magnitude import Magnitude
from workloads.pruning.random import Random
from workloads.sparsity.base import Allocation

CRITERIA = names(Criterion)
GLOBAL = find(Allocation, "global")()


@pytest.fixture(scope="module")
def data():
    return Digits().learning()


@pytest.fixture
def network():
    return Resnet8(width=4).network((1, 8, 8), 10, 0)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_scores_every_prunable_weight_with_a_number(name, network, data):
    scores = build(Criterion, name).scores(network, data, seed=1)
    assert {key: score.shape for key, score in scores.items()} == {
        key: weight.shape for key, weight in prunable(network).items()
    }
    assert all(score.isfinite().all() and not score.requires_grad for score in scores.values())


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_leaves_the_network_and_the_global_random_state_as_they_were(name, network, data):
    before, mode, state = copy.deepcopy(network.state_dict()), network.training, torch.get_rng_state()
    build(Criterion, name).scores(network, data, seed=1)
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    assert network.training == mode
    assert all(weight.grad is None for weight in network.parameters())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_gives_the_same_scores_for_the_same_seed(name, network, data):
    first, second = (build(Criterion, name).scores(network, data, seed=3) for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("allocation", names(Allocation))
@pytest.mark.parametrize("sparsity", [0.5, 0.9])
def test_a_criterion_prunes_to_exactly_the_asked_sparsity(name, allocation, sparsity, network, data):
    scores = build(Criterion, name).scores(network, data, seed=1)
    masks = to_sparsity(scores, build(Allocation, allocation), sparsity)
    size = sum(weight.numel() for weight in prunable(network).values())
    assert sum(int(mask.sum()) for mask in masks.values()) == round((1 - sparsity) * size)


def test_magnitude_is_the_absolute_value(data):
    network = Mlp(hidden=()).network((1, 1, 1), 2, 0)
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor([[-3.0], [2.0]]))
    assert Magnitude().scores(network, data, 0)["head.weight"].tolist() == [[3.0], [2.0]]


def test_random_scores_differ_by_seed_and_by_layer_and_are_uniform(network, data):
    scores, others = Random().scores(network, data, 0), Random().scores(network, data, 1)
    first, second = "body.stage2.block1.conv2.weight", "body.stage3.block1.conv2.weight"
    assert not torch.equal(scores[first], others[first])
    assert not torch.equal(scores[first].flatten(), scores[second].flatten()[: scores[first].numel()])
    assert abs(float(scores[second].mean()) - 0.5) < 0.05


def gone(scores, masks):
    return {name: score.masked_fill(~masks[name], -math.inf) for name, score in scores.items()}


def test_lenet_300_100_shrinks_by_the_published_counts_of_the_lottery_rounds():
    # Cosentino et al. (2019, arXiv 1912.02386): 20 % of each hidden layer and 10 % of the last, per round.
    published = [100, 80.04, 64.06, 51.28, 41.05, 32.87, 26.32, 21.07, 16.88, 13.52, 10.83]
    published += [8.68, 6.95, 5.57, 4.47, 3.58, 2.87, 2.31, 1.85, 1.49, 1.19]
    shapes = {"body.hidden1.weight": (300, 784), "body.hidden2.weight": (100, 300), "head.weight": (10, 100)}
    scores = {name: torch.rand(shape, generator=torch.Generator()) for name, shape in shapes.items()}
    left = [100.0]
    for _ in published[1:]:
        masks = by_layer(scores, {"hidden1": 0.2, "hidden2": 0.2, "head": 0.1})
        scores = gone(scores, masks)
        left.append(100 * sum(int(mask.sum()) for mask in masks.values()) / 266_200)
    assert left == pytest.approx(published, abs=0.006)


def test_a_fraction_is_taken_of_what_is_left_in_the_whole_network():
    scores = {"a.weight": torch.arange(60.0), "head.weight": torch.arange(40.0)}
    kept = []
    for _ in range(3):
        masks = by_fraction(scores, GLOBAL, 0.2)
        kept.append(sum(int(mask.sum()) for mask in masks.values()))
        scores = gone(scores, masks)
    assert kept == [80, 64, 51]  # 64 - round(12.8)


def test_a_layer_that_is_not_named_keeps_what_it_has():
    scores = {"body.hidden1.weight": torch.arange(10.0), "head.weight": torch.arange(10.0)}
    scores["head.weight"][:4] = -math.inf
    masks = by_layer(scores, {"hidden1": 0.5})
    assert int(masks["body.hidden1.weight"].sum()) == 5
    assert masks["head.weight"].tolist() == [False] * 4 + [True] * 6


def test_an_unknown_layer_is_refused_with_the_layers_there_are():
    with pytest.raises(ValueError, match=r"layers of the network, hidden1, head; got \['output'\]"):
        by_layer({"body.hidden1.weight": torch.ones(2), "head.weight": torch.ones(2)}, {"output": 0.1})


def test_a_sparsity_below_the_networks_own_is_refused():
    scores = {"head.weight": torch.arange(10.0)}
    sparse = gone(scores, {"head.weight": keep_largest(scores["head.weight"], 2)})
    with pytest.raises(ValueError, match=r"at least the network's own, 0\.8, got 0\.5"):
        to_sparsity(sparse, GLOBAL, 0.5)
    assert int(to_sparsity(sparse, GLOBAL, 0.8)["head.weight"].sum()) == 2
