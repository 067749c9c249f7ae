"""Every way of training with masks; then the rules of dropping and growing, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from orchestrator.build import build, find, names
from workloads.architectures.mlp import Mlp
from workloads.masks import prunable
from workloads.sparse_training._drop_and_grow import DropAndGrow
from workloads.sparse_training.base import Moment, Sparsify
from workloads.sparse_training.fixed import Fixed
from workloads.sparse_training.rigl import Rigl
from workloads.sparse_training.set import Set
from workloads.sparse_training.static import Static

ALL = names(Sparsify)
WITH_SPARSITY = [name for name in ALL if "sparsity" in find(Sparsify, name).__dataclass_fields__]
REGROWTHS = [name for name in ALL if issubclass(find(Sparsify, name), DropAndGrow)]
DENSE_STARTS = {"gradual", "early"}
SPARSE_STARTS = [name for name in WITH_SPARSITY if name not in DENSE_STARTS]
SIZE = 64 * 20 + 20 * 10


@pytest.fixture
def network():
    return Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)


def made(name, sparsity=0.8):
    return build(Sparsify, {"name": name, "sparsity": sparsity} if name in WITH_SPARSITY else name)


def gradients_of(network, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(weight.shape, generator=generator) for name, weight in prunable(network).items()
    }


def counts(masks):
    return {name: int(mask.sum()) for name, mask in masks.items()}


def changed(sparsify, weights, gradients, masks, moment):
    """The next masks of a method that has seen ``gradients`` in one step."""
    memory = {}
    if sparsify.watches:
        sparsify.observe(gradients, memory)
    return sparsify.update(weights, gradients, masks, moment, memory)


@pytest.mark.parametrize("name", SPARSE_STARTS)
@pytest.mark.parametrize("sparsity", [0.5, 0.9])
def test_the_first_masks_have_exactly_the_asked_sparsity(name, sparsity, network):
    masks = made(name, sparsity).start(network, {}, seed=0)
    assert list(masks) == list(prunable(network))
    assert sum(counts(masks).values()) == round((1 - sparsity) * SIZE)


@pytest.mark.parametrize("name", sorted({*SPARSE_STARTS} - {"hydra"}))  # its scores come from the weights
def test_the_first_masks_depend_on_the_seed_alone(name, network):
    state = torch.get_rng_state()
    first, again, other = (made(name).start(network, {}, seed) for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", SPARSE_STARTS)
def test_the_first_masks_leave_out_what_the_network_has_lost_already(name, network):
    before = Static(sparsity=0.5).start(network, {}, seed=5)
    masks = made(name, 0.9).start(network, before, seed=0)
    assert all(not (masks[key] & ~before[key]).any() for key in masks)


@pytest.mark.parametrize("name", sorted({*ALL} - {"gradual", "snfs"}))
def test_a_change_keeps_the_number_of_connections_of_each_layer(name, network):
    sparsify = made(name)
    masks = sparsify.start(network, {}, seed=0)
    weights = {key: weight.detach() for key, weight in prunable(network).items()}
    for step in range(0, 300, 100):
        found = changed(sparsify, weights, gradients_of(network, step), masks, Moment(step, 1000, 0))
        assert counts(found) == counts(masks)
        masks = found


@pytest.mark.parametrize("name", ALL)
def test_only_what_says_so_changes_the_topology(name):
    sparsify = made(name)
    assert any(sparsify.due(step, 1000) for step in range(1000)) == sparsify.changes


@pytest.mark.parametrize("name", REGROWTHS)
def test_a_change_happens_every_interval_and_never_after_the_end(name):
    late = {"interval_late": 50} if "interval_late" in find(Sparsify, name).__dataclass_fields__ else {}
    sparsify = build(Sparsify, {"name": name, "sparsity": 0.5, "interval": 50, "end": 0.75, **late})
    due = [step for step in range(1000) if sparsify.due(step, 1000)]
    assert due == list(range(0, 750, 50))


@pytest.mark.parametrize("name", [name for name in REGROWTHS if not find(Sparsify, name).floor])
def test_the_drop_fraction_follows_the_published_cosine(name):
    # Evci et al. (2020): alpha 0.3, the end after 75,000 of 100,000 steps.
    sparsify = build(Sparsify, {"name": name, "sparsity": 0.5})
    found = [round(sparsify.fraction(step, 100_000), 4) for step in (0, 18_750, 37_500, 56_250)]
    assert found == [0.3, 0.2561, 0.15, 0.0439]


def test_a_fraction_may_fall_within_some_steps_and_stay_as_moon_has_it_in_its_repository():
    sparsify = Rigl(sparsity=0.5, decay_steps=70)
    found = [round(sparsify.fraction(step, 39_100), 6) for step in (0, 35, 69, 70, 80, 20_000)]
    assert found == [0.3, 0.15, 0.000151, 0.000151, 0.000151, 0.000151]
    masks, moment = {"w": torch.arange(12_000) < 6000}, Moment(80, 39_100, 0)
    assert sparsify.exchange(masks, moment, {}) == ({"w": 0}, {"w": 0})  # int(0.000151 * 6000)


@pytest.mark.parametrize("name", REGROWTHS)
def test_a_change_replaces_at_most_the_drop_fraction_rounded_down(name, network):
    sparsify = made(name)
    masks = sparsify.start(network, {}, seed=0)
    weights = {key: weight.detach() for key, weight in prunable(network).items()}
    found = changed(sparsify, weights, gradients_of(network), masks, Moment(0, 1000, 0))
    for key, mask in masks.items():
        lost = int((mask & ~found[key]).sum())
        assert 0 < lost <= int(sparsify.alpha * int(mask.sum()))


@pytest.mark.parametrize("name", REGROWTHS)
def test_ties_are_settled_by_seed_step_and_layer(name, network):
    sparsify = made(name)
    masks = sparsify.start(network, {}, seed=0)
    flat = {key: torch.ones_like(weight) for key, weight in prunable(network).items()}

    def change(step, seed):
        return changed(sparsify, flat, flat, masks, Moment(step, 10**9, seed))

    first, again, later, other = change(0, 0), change(0, 0), change(100, 0), change(0, 1)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], later[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def one_layer(sparsify, weight, gradient, mask, step=0):
    masks = changed(
        sparsify,
        {"w": torch.tensor(weight)},
        {"w": torch.tensor(gradient)},
        {"w": torch.tensor(mask, dtype=torch.bool)},
        Moment(step, 1000, 0),
    )
    return masks["w"].int().tolist()


def test_rigl_drops_the_smallest_weight_and_grows_at_the_largest_gradient():
    found = one_layer(
        Rigl(sparsity=0.5, alpha=0.34),
        weight=[0.5, -0.1, 2.0, 0.0, 0.0, 0.0],
        gradient=[9.0, 0.1, 9.0, 0.2, -0.7, 0.3],
        mask=[1, 1, 1, 0, 0, 0],
    )
    assert found == [1, 0, 1, 0, 1, 0]


def test_rigl_lets_a_dropped_connection_grow_back():
    found = one_layer(
        Rigl(sparsity=0.5, alpha=0.34),
        weight=[0.5, -0.1, 2.0, 0.0, 0.0, 0.0],
        gradient=[0.0, 1.0, 0.0, 0.2, -0.7, 0.3],
        mask=[1, 1, 1, 0, 0, 0],
    )
    assert found == [1, 1, 1, 0, 0, 0]


def test_the_number_dropped_is_rounded_down():
    # 0.3 * 3 = 0.9: nothing is dropped
    found = one_layer(
        Rigl(sparsity=0.5),
        weight=[0.5, -0.1, 2.0, 0.0, 0.0, 0.0],
        gradient=[0.0, 0.0, 0.0, 9.0, 9.0, 9.0],
        mask=[1, 1, 1, 0, 0, 0],
    )
    assert found == [1, 1, 1, 0, 0, 0]


def test_set_drops_the_smallest_weights_and_grows_anywhere_with_equal_chance():
    torch_mask = [1] * 10 + [0] * 30
    weight = [0.01] * 5 + [1.0] * 5 + [0.0] * 30
    grown = torch.zeros(40)
    for seed in range(200):
        masks = Set(sparsity=0.75, alpha=0.5).update(
            {"w": torch.tensor(weight)},
            {"w": torch.arange(40.0)},
            {"w": torch.tensor(torch_mask, dtype=torch.bool)},
            Moment(0, 1000, seed),
            {},
        )
        assert masks["w"][5:10].all()
        grown += masks["w"].float()
    # each of the 35 free places gets one of 5 connections: 200 * 5 / 35 = 28.6 times, deviation 4.9
    free = torch.cat([grown[:5], grown[10:]])
    assert abs(float(free.mean()) - 200 * 5 / 35) < 1e-4
    assert free.min() > 28.6 - 5 * 4.9
    assert free.max() < 28.6 + 5 * 4.9


def test_fixed_keeps_the_masks_of_the_network(network):
    masks = Static(sparsity=0.5).start(network, {}, seed=5)
    assert Fixed().start(network, masks, seed=0) is masks
    assert Fixed().start(network, {}, seed=0) == {}


@pytest.mark.parametrize("name", WITH_SPARSITY)
@pytest.mark.parametrize("sparsity", [1, -0.5, math.inf])
def test_an_impossible_sparsity_is_refused_before_any_training(name, sparsity):
    with pytest.raises(ValueError, match=r"sparsity must be in \[0, 1\)"):
        find(Sparsify, name)(sparsity=sparsity)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ({"alpha": 0}, "alpha is a share"),
        ({"alpha": 1.1}, "alpha is a share"),
        ({"interval": 0}, "interval must be at least 1"),
        ({"end": 1.5}, "end is a fraction"),
        ({"decay_steps": 0}, "decay_steps must be at least 1"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_rule(data, rule):
    with pytest.raises(ValueError, match=rule):
        Rigl(sparsity=0.5, **data)
