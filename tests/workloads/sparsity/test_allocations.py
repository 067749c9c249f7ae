"""Every allocation: exact totals, no empty layer, the best of each layer; then the published numbers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.build import build, names
from workloads.sparsity.base import Allocation
from workloads.sparsity.erk import Erk, densities
from workloads.sparsity.given import Given, losses
from workloads.sparsity.igq import Igq
from workloads.sparsity.igq import densities as igq_densities
from workloads.sparsity.lamp import Lamp, lamp
from workloads.sparsity.uniform import Uniform

ALLOCATIONS = names(Allocation)


def named(name, scores):
    """The allocation of a name, for layers as in ``scores``."""
    if name == "given":
        return Given({layer: 1 + place % 3 for place, layer in enumerate(scores)}, most=1)
    return build(Allocation, name)


def scores_of(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        f"layer{place}": torch.rand(shape, generator=generator) * 3**place
        for place, shape in enumerate(shapes)
    }


def total(masks):
    return sum(int(mask.sum()) for mask in masks.values())


SHAPES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 30)) | st.tuples(*[st.integers(1, 6)] * 4),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("name", ALLOCATIONS)
@settings(deadline=None, max_examples=60)
@given(shapes=SHAPES, sparsity=st.floats(0, 0.999))
def test_the_total_is_exact_and_no_layer_is_emptied(name, shapes, sparsity):
    scores = scores_of(shapes)
    wanted = round((1 - sparsity) * sum(score.numel() for score in scores.values()))
    allocation = named(name, scores)
    if wanted < len(scores):
        with pytest.raises(ValueError, match="at least one weight of each layer"):
            allocation.masks(scores, sparsity)
        return
    masks = allocation.masks(scores, sparsity)
    assert total(masks) == wanted
    assert all(mask.any() for mask in masks.values())
    assert {name: mask.shape for name, mask in masks.items()} == {n: s.shape for n, s in scores.items()}


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_each_layer_keeps_its_largest_scores(name):
    scores = scores_of([(30, 20), (20, 10), (10, 5)])
    for layer, mask in named(name, scores).masks(scores, 0.8).items():
        assert scores[layer][mask].min() > scores[layer][~mask].max()


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_no_sparsity_keeps_everything(name):
    scores = scores_of([(3, 4), (2, 3)])
    assert all(mask.all() for mask in named(name, scores).masks(scores, 0).values())


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_weights_that_are_gone_are_kept_last(name):
    scores = scores_of([(30, 20), (20, 10)])
    gone = {layer: torch.arange(score.numel()).view(score.shape) % 3 == 0 for layer, score in scores.items()}
    marked = {layer: score.masked_fill(gone[layer], -math.inf) for layer, score in scores.items()}
    for layer, mask in named(name, marked).masks(marked, 0.9).items():
        assert not (mask & gone[layer]).any()


@pytest.mark.parametrize("name", ALLOCATIONS)
@pytest.mark.parametrize("sparsity", [1, 1.5, -0.1, math.nan])
def test_an_impossible_sparsity_is_refused_with_the_rule(name, sparsity):
    with pytest.raises(ValueError, match=r"sparsity must be in \[0, 1\), got"):
        build(Allocation, name).masks(scores_of([(3, 4)]), sparsity)


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_a_score_that_is_no_number_is_refused_with_its_layer(name):
    scores = scores_of([(3, 4), (5, 5)])
    scores["layer1"][2, 2] = math.nan
    with pytest.raises(ValueError, match="NaN in layer1"):
        named(name, scores).masks(scores, 0.5)


def test_uniform_keeps_the_same_share_of_each_layer():
    kept = Uniform().kept(scores_of([(10, 10), (10, 20), (5, 2)]), 0.7)
    assert list(kept.values()) == [30, 60, 3]


def test_uniform_rounds_by_largest_remainder():
    # quotas 0.5 * (3, 3, 3) = 1.5 each; round(4.5) = 4, so the first layer gets the one that is left over
    assert list(Uniform().kept(scores_of([(3, 1)] * 3), 0.5).values()) == [2, 1, 1]


def test_uniform_with_a_dense_first_layer_makes_only_the_others_sparse():
    assert list(Uniform(dense_first=True).kept(scores_of([(10, 10), (10, 20)]), 0.9).values()) == [100, 20]


def test_global_lets_all_layers_compete():
    scores = {"small": torch.tensor([1.0, 2.0, 3.0]), "large": torch.tensor([10.0, 20.0, 0.5])}
    masks = build(Allocation, "global").masks(scores, 0.5)
    assert masks["small"].tolist() == [False, False, True]
    assert masks["large"].tolist() == [True, True, False]


def test_global_leaves_the_best_weight_of_a_layer_that_would_be_emptied():
    scores = {"tiny": torch.tensor([0.1, 0.2]), "large": torch.arange(1.0, 9.0)}
    masks = build(Allocation, "global").masks(scores, 0.5)
    assert masks["tiny"].tolist() == [False, True]
    assert int(masks["large"].sum()) == 4


def test_lamp_lets_a_small_layer_keep_what_global_would_take():
    # squares over sums: 1/14, 4/13, 1 beside 100/600, 100/500, 100/400, 100/300, 1/2, 1
    scores = {"small": torch.tensor([1.0, 2.0, 3.0]), "large": torch.full((6,), 10.0)}
    assert Lamp().kept(scores, 5 / 9) == {"small": 1, "large": 3}
    assert Lamp().kept(scores, 4 / 9) == {"small": 2, "large": 3}
    assert build(Allocation, "global").kept(scores, 4 / 9) == {"small": 1, "large": 4}


def test_lamp_with_magnitudes_keeps_what_its_own_scores_keep_globally():
    weights = scores_of([(30, 20), (20, 10), (5, 4)])
    signed = {name: weight * torch.where(weight > 1, 1.0, -1.0) for name, weight in weights.items()}
    expected = build(Allocation, "global").masks({name: lamp(weight) for name, weight in signed.items()}, 0.9)
    found = Lamp().masks({name: weight.abs() for name, weight in signed.items()}, 0.9)
    assert all(torch.equal(mask, expected[name]) for name, mask in found.items())


def test_lamp_takes_scores_below_zero_for_zero():
    scores = {"a": torch.tensor([-9.0, 1.0, 2.0]), "b": torch.tensor([-9.0, -8.0, 1.0])}
    assert Lamp().kept(scores, 0.5) == {"a": 2, "b": 1}


def resnet18():
    shapes = {"conv1": (64, 3, 3, 3)}
    width = 64
    for layer, out in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            shapes[f"layer{layer}.{block}.conv1"] = (out, width, 3, 3)
            shapes[f"layer{layer}.{block}.conv2"] = (out, out, 3, 3)
            if width != out:
                shapes[f"layer{layer}.{block}.shortcut"] = (out, width, 1, 1)
            width = out
    return {**shapes, "fc": (10, 512)}


# Computed from the rule of Evci et al. (2020) for ResNet-18 with a 3x3 stem and ten classes.
PUBLISHED = {
    0.1: {
        **dict.fromkeys(("conv1", "fc", "layer2.0.shortcut", "layer3.0.shortcut"), 1.0),
        "layer1.0.conv1": 0.4797,
        "layer1.1.conv2": 0.4797,
        "layer2.0.conv1": 0.3544,
        "layer2.0.conv2": 0.2345,
        "layer2.1.conv1": 0.2345,
        "layer3.0.conv1": 0.1745,
        "layer3.1.conv2": 0.1159,
        "layer4.0.conv1": 0.0866,
        "layer4.0.shortcut": 0.7752,
        "layer4.1.conv2": 0.0576,
    },
    0.2: {
        **dict.fromkeys(("conv1", "fc", "layer1.0.conv1", "layer1.1.conv2", "layer4.0.shortcut"), 1.0),
        "layer2.0.conv1": 0.7538,
        "layer2.1.conv2": 0.4988,
        "layer3.0.conv1": 0.3712,
        "layer3.1.conv1": 0.2465,
        "layer4.0.conv1": 0.1842,
        "layer4.1.conv2": 0.1225,
    },
}


@pytest.mark.parametrize("density", PUBLISHED)
def test_erk_gives_the_published_densities_of_resnet18(density):
    found = densities(resnet18(), 1 - density)
    assert {name: round(found[name], 4) for name in PUBLISHED[density]} == PUBLISHED[density]


@pytest.mark.parametrize(
    ("density", "scale", "dense"),
    [
        (0.05, 64.0250, {"conv1", "fc", "layer2.0.shortcut"}),
        (0.01, 12.1738, {"fc"}),
    ],
)
def test_erk_makes_the_published_layers_dense(density, scale, dense):
    found = densities(resnet18(), 1 - density)
    assert {name for name, share in found.items() if share == 1} == dense
    ratio = (512 + 512 + 3 + 3) / (512 * 512 * 9)
    assert math.isclose(found["layer4.1.conv2"], scale * ratio, rel_tol=1e-5)


@pytest.mark.parametrize("sparsity", [0.5, 0.9, 0.99])
def test_erk_keeps_exactly_the_asked_number_of_resnet18(sparsity):
    scores = {name: torch.empty(shape, device="meta") for name, shape in resnet18().items()}
    assert sum(Erk().kept(scores, sparsity).values()) == round((1 - sparsity) * 11_164_352)


def test_erk_without_power_is_uniform():
    assert densities({"a": (10, 10), "b": (20, 30)}, 0.9, power=0) == pytest.approx({"a": 0.1, "b": 0.1})


def test_a_negative_power_is_refused():
    with pytest.raises(ValueError, match="power must not be negative"):
        Erk(power=-1)


# 1 / (1 + F N) with F = 3.74547e-6, computed for ResNet-18 as above at a density of 0.2.
QUOTAS = {
    "conv1": 0.9936,
    **dict.fromkeys(("layer1.0.conv1", "layer1.1.conv2"), 0.8787),
    "layer2.0.conv1": 0.7836,
    **dict.fromkeys(("layer2.0.conv2", "layer2.1.conv1"), 0.6442),
    "layer3.0.conv1": 0.4752,
    "layer3.1.conv2": 0.3116,
    "layer4.0.conv1": 0.1846,
    "layer4.1.conv2": 0.1017,
    "layer2.0.shortcut": 0.9702,
    "layer3.0.shortcut": 0.8907,
    "layer4.0.shortcut": 0.6707,
    "fc": 0.9812,
}


def test_igq_gives_the_published_quotas_of_resnet18():
    found = igq_densities({name: math.prod(shape) for name, shape in resnet18().items()}, 0.8)
    assert {name: round(found[name], 4) for name in QUOTAS} == QUOTAS


def test_igq_keeps_a_smaller_share_of_a_larger_layer():
    assert list(Igq().kept(scores_of([(10, 10)] * 3), 0.8).values()) == [20, 20, 20]
    # With f = F * 10,000: 1 / (1 + f) + 3 / (1 + 3 f) = 2, so 6 f^2 + 2 f - 2 = 0.
    factor = (-2 + math.sqrt(52)) / 12
    kept = Igq().kept(scores_of([(100, 100), (100, 300)]), 0.5)
    assert kept == {"layer0": round(10_000 / (1 + factor)), "layer1": round(30_000 / (1 + 3 * factor))}


SIZES = {"a": 100, "b": 100, "c": 200}


def test_given_ratios_are_scaled_to_the_total():
    # (1 * 100 + 2 * 100 + 0.5 * 200) * factor = 0.5 * 400, so the factor is 0.5
    found = losses({"a": 1, "b": 2, "c": 0.5}, SIZES, 0.5, most=1)
    assert found == pytest.approx({"a": 0.5, "b": 1, "c": 0.25})
    scores = {name: torch.arange(float(size)) for name, size in SIZES.items()}
    kept = Given({"a": 1, "b": 2, "c": 0.5}, most=1).kept(scores, 0.5)
    assert kept == {"a": 49, "b": 1, "c": 150}  # no layer is emptied


def test_given_ratios_stop_at_most_and_the_other_layers_make_up_for_it():
    found = losses({"a": 1, "b": 2, "c": 0.5}, SIZES, 0.5, most=0.8)
    # b stops at 0.8; (100 + 0.5 * 200) * factor = 200 - 80
    assert found == pytest.approx({"a": 0.6, "b": 0.8, "c": 0.3})


def test_given_ratios_take_at_least_so_much_from_each_layer_and_less_from_the_others():
    found = losses({"a": 1, "b": 2, "c": 0}, SIZES, 0.5, most=0.9, least=0.3)
    # c gives 0.3 * 200 and b, which may not give 2 * 140 / 300, its 0.9 * 100: 50 are left for a
    assert found == pytest.approx({"a": 0.5, "b": 0.9, "c": 0.3})
    with pytest.raises(ValueError, match=r"at least what goes from each layer, least: 0\.3, got 0\.2"):
        losses({"a": 1, "b": 2, "c": 0}, SIZES, 0.2, most=0.9, least=0.3)
    with pytest.raises(ValueError, match=r"least must be in \[0, most\], got 0\.99 with most: 0\.98"):
        Given(least=0.99)


def test_a_layer_with_the_ratio_zero_stays_dense():
    scores = {name: torch.arange(float(size)) for name, size in SIZES.items()}
    assert Given({"a": 0, "b": 1, "c": 1}).kept(scores, 0.6) == {"a": 100, "b": 20, "c": 40}
    with pytest.raises(
        ValueError, match=r"sparsity must be at most 0\.735 with these ratios and most: 0\.98, got 0\.8"
    ):
        Given({"a": 0, "b": 1, "c": 1}).kept(scores, 0.8)


@settings(deadline=None, max_examples=60)
@given(
    ratios=st.lists(st.floats(0.01, 10), min_size=3, max_size=3),
    sparsity=st.floats(0, 0.98),
    most=st.sampled_from([0.98, 1.0]),
    least=st.floats(0, 1),
)
def test_given_ratios_keep_their_order_their_limits_and_the_total(ratios, sparsity, most, least):
    wanted = dict(zip(SIZES, ratios, strict=True))
    least *= sparsity  # as much as there is to take, and less
    found = losses(wanted, SIZES, sparsity, most, least)
    assert sum(found[name] * size for name, size in SIZES.items()) == pytest.approx(sparsity * 400, abs=1e-6)
    assert all(least <= share <= most for share in found.values())
    by_ratio = sorted(SIZES, key=wanted.__getitem__)
    assert all(found[low] <= found[high] for low, high in itertools.pairwise(by_ratio))


def test_given_ratios_name_every_layer_of_the_network_and_are_not_negative():
    scores = {"body.hidden1.weight": torch.ones(3), "head.weight": torch.ones(3)}
    assert Given({"hidden1": 1, "head": 1}).kept(scores, 0.5) == {"body.hidden1.weight": 2, "head.weight": 1}
    with pytest.raises(ValueError, match=r"name the layers of the network, hidden1, head; got \['head'\]"):
        Given({"head": 1}).kept(scores, 0.5)
    with pytest.raises(ValueError, match="ratios must not be negative, got -1 for head"):
        Given({"head": -1})
    with pytest.raises(ValueError, match=r"most must be in \(0, 1\], got 0"):
        Given(most=0)
