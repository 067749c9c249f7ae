"""Every pruning criterion, how much a pruning takes, and in which rounds."""

from __future__ import annotations

import copy
import dataclasses
import math

import pytest
import torch

from orchestrator.build import build, find, names
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.datasets.digits import Digits
from workloads.masks import keep_largest, prunable
from workloads.pruning._amounts import by_layer, by_pattern, parsed, sparsity_after, to_sparsity
from workloads.pruning._rounds import in_rounds, shuffled
from workloads.pruning.base import Criterion
from workloads.pruning.magnitude import Magnitude
from workloads.pruning.random import Random
from workloads.sparsity.base import Allocation
from workloads.sparsity.uniform import Uniform

CRITERIA = names(Criterion)
GLOBAL = find(Allocation, "global")()


@pytest.fixture(scope="module")
def data():
    return Digits().learning()


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def network():
    return Resnet8(width=4).network((1, 8, 8), 10, 0)


def small(name):
    """The criterion with few images and rounds: what holds for these holds for more."""
    fields = {field.name for field in dataclasses.fields(find(Criterion, name))}
    fewer = {"per_class": 2, "iterations": 5, "steps": 1}
    return build(Criterion, {"name": name, **{key: fewer[key] for key in fewer.keys() & fields}})


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_scores_every_prunable_weight_with_a_number(name, network, data):
    scores = small(name).scores(network, data, seed=1)
    assert {key: score.shape for key, score in scores.items()} == {
        key: weight.shape for key, weight in prunable(network).items()
    }
    assert all(score.isfinite().all() and not score.requires_grad for score in scores.values())


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_leaves_the_network_and_the_global_random_state_as_they_were(name, network, data):
    before, mode, state = copy.deepcopy(network.state_dict()), network.training, torch.get_rng_state()
    small(name).scores(network, data, seed=1)
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    assert network.training == mode
    assert all(weight.grad is None for weight in network.parameters())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_gives_the_same_scores_for_the_same_seed(name, network, data):
    first, second = (small(name).scores(network, data, seed=3) for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("allocation", ["global", "uniform"])
def test_a_criterion_prunes_to_exactly_the_asked_sparsity(name, allocation, network, data):
    before = copy.deepcopy(network.state_dict())
    spread, size = build(Allocation, allocation), sum(weight.numel() for weight in prunable(network).values())
    masks = {}
    for sparsity in (0.6, 0.95):
        earlier = masks
        masks = in_rounds(small(name), spread, network, masks, data, sparsity=sparsity, seed=1)
        assert sum(int(mask.sum()) for mask in masks.values()) == round((1 - sparsity) * size)
        assert not any((masks[key] & ~mask).any() for key, mask in earlier.items())
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())


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
    return {
        name: score.masked_fill(~masks[name], -math.inf) if masks else score for name, score in scores.items()
    }


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
    network = Mlp(hidden=(4,)).network((1, 1, 15), 10, 0)
    scores = {"body.hidden1.weight": torch.arange(60.0), "head.weight": torch.arange(40.0)}
    kept = []
    masks = {}
    for _ in range(3):
        masks = to_sparsity(gone(scores, masks), GLOBAL, sparsity_after(0.2, network, masks))
        kept.append(sum(int(mask.sum()) for mask in masks.values()))
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


def test_a_weight_that_is_gone_stays_so_where_a_uniform_share_asks_for_more_than_is_left():
    scores = {"a": torch.arange(1.0, 101), "b": torch.arange(1.0, 101), "c": torch.arange(1.0, 201)}
    scores["a"][:90] = -math.inf  # ten are left
    masks = to_sparsity(scores, Uniform(), 0.5)
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"a": 10, "b": 63, "c": 127}
    assert not masks["a"][:90].any()


def test_two_of_four_keeps_the_best_two_of_four_neighbouring_inputs():
    linear = torch.tensor(
        [[1.0, 4.0, 3.0, 2.0, 9.0, 9.0, 9.0, 9.0], [8.0, 7.0, 6.0, 5.0, 1.0, 2.0, 3.0, 4.0]]
    )
    kernels = torch.zeros(1, 4, 1, 2)
    kernels[0, :, 0, 0], kernels[0, :, 0, 1] = torch.tensor([[1.0, 2, 3, 4], [4.0, 3, 2, 1]])
    masks = by_pattern({"linear": linear, "kernels": kernels, "odd": torch.ones(5, 6)}, *parsed("2:4"))
    assert masks["linear"].int().tolist() == [[0, 1, 1, 0, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 1, 1]]
    assert masks["kernels"][0, :, 0].int().tolist() == [[0, 1], [0, 1], [1, 0], [1, 0]]
    assert masks["odd"].all()  # six inputs are no groups of four


def test_a_pattern_never_brings_a_weight_back():
    scores = {"linear": torch.tensor([[1.0, -math.inf, -math.inf, -math.inf]])}
    assert by_pattern(scores, 2, 4)["linear"].tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("pattern", ["4:2", "0:4", "4:4", "2/4", "2:4:8", "", "-1:4"])
def test_a_strange_pattern_is_refused(pattern):
    with pytest.raises(ValueError, match=r"pattern must be n:m with 0 < n < m, as in 2:4, got"):
        parsed(pattern)


def test_a_shuffled_mask_keeps_the_counts_and_loses_the_places():
    mask = torch.zeros(40, 50, dtype=torch.bool)
    mask[:4] = True
    masks = shuffled({"a": mask, "b": mask}, seed=0)
    assert {name: int(found.sum()) for name, found in masks.items()} == {"a": 200, "b": 200}
    assert (masks["a"] & mask).sum() < 60  # 20 by chance
    assert not torch.equal(masks["a"], masks["b"])
    assert torch.equal(masks["a"], shuffled({"a": mask}, seed=0)["a"])
    assert not torch.equal(masks["a"], shuffled({"a": mask}, seed=1)["a"])


class Recorded(Criterion):
    """Scores by magnitude and notes what it was asked."""

    levels = (0.2, 0.5, 0.8)

    def __init__(self):
        object.__setattr__(self, "asked", [])

    def rounds(self, sparsity):
        return (*self.levels, sparsity)

    def scores(self, network, data, seed):
        weights = {name: weight.detach().clone() for name, weight in prunable(network).items()}
        zeros = sum(int((weight == 0).sum()) for weight in weights.values())
        self.asked.append((zeros, seed))
        return {name: weight.abs() for name, weight in weights.items()}


def test_each_round_scores_what_the_one_before_left_with_a_seed_of_its_own(data):
    network = Mlp(hidden=()).network((1, 10, 10), 10, 0)
    criterion = Recorded()
    masks = in_rounds(criterion, GLOBAL, network, {}, data, sparsity=0.9, seed=7)
    assert [zeros for zeros, _ in criterion.asked] == [0, 200, 500, 800]
    assert len({seed for _, seed in criterion.asked}) == 4
    assert criterion.asked[0][1] == 7
    again = Recorded()
    in_rounds(again, GLOBAL, network, masks, data, sparsity=0.95, seed=7)
    assert len(again.asked) == 1  # it has been through the other rounds
