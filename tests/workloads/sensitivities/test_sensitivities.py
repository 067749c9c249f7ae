"""Every form of sensitivity: it leaves the network and the masks alone. Then what is known of each form."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from orchestrator.build import build, names
from orchestrator.errors import SpecError
from workloads.architectures.lenet300 import Lenet300
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.masks import prunable
from workloads.pruning._samples import Samples, in_turns
from workloads.sensitivities._layer import Layer
from workloads.sensitivities._ratios import pruning_ratios, scaled
from workloads.sensitivities.base import Sensitivity
from workloads.sensitivities.prune_probe import PruneProbe
from workloads.sensitivities.weight_perturbation import WeightPerturbation, projected
from workloads.sparsity.given import losses

FORMS = names(Sensitivity)


def drawn(count=60, shape=(1, 8, 8), classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand((count, *shape), generator=generator)
    return Samples(images, torch.randint(classes, (count,), generator=generator))


def layers(network, samples, masks=None):
    network.eval()
    return {name: Layer(network, name, (masks or {}).get(name), samples) for name in prunable(network)}


@pytest.mark.parametrize("name", FORMS)
def test_a_sensitivity_is_the_rise_of_the_loss_and_leaves_the_network_alone(name):
    network, samples = Resnet8(width=4).network((1, 8, 8), 4, 0), drawn()
    with torch.no_grad():
        expected = float(cross_entropy(network.eval()(samples.images), samples.labels))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for layer in layers(network, samples).values():
        reading = build(Sensitivity, name)(layer)
        assert reading.loss_before == pytest.approx(expected, rel=1e-6)
        assert reading.sensitivity == reading.loss_after - reading.loss_before
        assert 0 < reading.distance < 1
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("name", FORMS)
def test_weights_that_do_not_exist_stay_zero(name):
    network, samples = Mlp(hidden=(20,)).network((1, 8, 8), 4, 0), drawn()
    generator = torch.Generator().manual_seed(1)
    masks = {
        key: torch.rand(weight.shape, generator=generator) > 0.5 for key, weight in prunable(network).items()
    }
    for key, layer in layers(network, samples, masks).items():
        with torch.no_grad():
            layer.network.get_parameter(key).mul_(masks[key])
            changed = build(Sensitivity, name).changed(layer)
        assert not changed[~masks[key]].any()
        assert not torch.equal(changed, layer.weight)


@pytest.mark.parametrize("name", FORMS)
def test_outputs_for_the_unknown_have_no_say(name):
    network, samples = Mlp(hidden=(), unknown_outputs=1).network((1, 8, 8), 4, 0), drawn()
    known = Mlp(hidden=()).network((1, 8, 8), 4, 0)
    with torch.no_grad():
        known.head.weight.copy_(network.head.weight[:4])
        known.head.bias.copy_(network.head.bias[:4])
    one, two = (
        Layer(each, "head.weight", None, samples).judged(each.head.weight) for each in (network, known)
    )
    assert one == pytest.approx(two)
    assert build(Sensitivity, name)(Layer(network, "head.weight", None, samples)).loss_before == one[0]


def linear(images, labels):
    """A linear classifier without bias, with mean 0 and deviation 1."""
    network = Lenet300(bias=False).network(tuple(images.shape[1:]), 2, 0)
    network.body = torch.nn.Sequential(torch.nn.Flatten())
    network.head = torch.nn.Linear(images[0].numel(), 2, bias=False)
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor([[0.2, -0.1, 0.4], [-0.3, 0.1, 0.2]]))
    return Layer(network.eval(), "head.weight", None, Samples(images, labels))


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("label", [0, 1])
def test_the_worst_weight_of_a_linear_classifier_is_the_known_one(epsilon, label):
    # The margin m falls by (dw of the other - dw of the label) x, most where both changes lie along x with
    # opposite signs: by sqrt(2) r |x| for the radius r. The loss is log(1 + exp(-m)).
    image = torch.tensor([0.3, 0.8, 0.5])
    layer = linear(image.view(1, 3, 1, 1).repeat(4, 1, 1, 1), torch.full((4,), label))
    weight = layer.weight
    margin = float((weight[label] - weight[1 - label]) @ image)
    fall = math.sqrt(2) * epsilon * float(weight.norm()) * float(image.norm())
    reading = WeightPerturbation(epsilon=epsilon)(layer)
    assert reading.loss_before == pytest.approx(math.log1p(math.exp(-margin)), rel=1e-6)
    assert reading.loss_after == pytest.approx(math.log1p(math.exp(fall - margin)), rel=1e-5)
    assert reading.distance == pytest.approx(epsilon, rel=1e-5)


def test_a_short_ascent_does_as_the_slope_says():
    network, samples = Mlp(hidden=(20,)).network((1, 8, 8), 4, 0), drawn()
    for layer in layers(network, samples).values():
        slope = layer.slope(layer.weight, samples)
        epsilon = 1e-3
        rise = epsilon * float(layer.weight.norm()) * float(slope.norm())
        assert WeightPerturbation(epsilon=epsilon)(layer).sensitivity == pytest.approx(rise, rel=0.02)


def test_criticality_is_not_negative_and_grows_with_the_ball():
    network, samples = Mlp(hidden=(20,)).network((1, 8, 8), 4, 0), drawn()
    for layer in layers(network, samples).values():
        found = [
            WeightPerturbation(epsilon=epsilon, epochs=20, batch_size=60)(layer)
            for epsilon in (0.02, 0.05, 0.1, 0.2)
        ]
        assert found[0].sensitivity > 0
        assert all(
            one.sensitivity < two.sensitivity * (1 + 1e-3) for one, two in itertools.pairwise(found)
        )  # up to where the ascent stops
        assert all(reading.distance <= 0.2 * (1 + 1e-5) for reading in found)


def test_where_the_loss_cannot_rise_the_criticality_is_zero():
    layer = linear(torch.zeros(2, 3, 1, 1), torch.tensor([0, 1]))
    reading = WeightPerturbation()(layer)
    assert (reading.sensitivity, reading.distance) == (0, 0)
    assert reading.loss_after == pytest.approx(math.log(2))


def test_an_ascent_that_leaves_all_bounds_is_an_error():
    with pytest.raises(RuntimeError, match=r"of head\.weight must stay finite; try a smaller lr"):
        WeightPerturbation(lr=1e38)(linear(torch.full((2, 3, 1, 1), 9.0), torch.tensor([0, 1])))


def test_the_projection_keeps_what_is_inside_and_shortens_what_is_not():
    centre = torch.tensor([[3.0, 4.0]])
    inside = centre + torch.tensor([[0.2, -0.4]])
    assert projected(inside, centre, 0.1) is inside
    outside = centre + torch.tensor([[3.0, -4.0]])
    assert projected(outside, centre, 0.1).flatten().tolist() == pytest.approx([3.3, 3.6])
    assert torch.equal(projected(centre, centre, 0.1), centre)
    zero = torch.zeros(1, 2)
    assert projected(zero + 1, zero, 0.1).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("form", "rescaled"),
    [
        (PruneProbe(), [PruneProbe(), PruneProbe()]),
        # A layer that is 4 times as long has slopes a quarter as steep: the same way takes 16 times the lr.
        (WeightPerturbation(), [WeightPerturbation(lr=16), WeightPerturbation(lr=1 / 16)]),
    ],
)
def test_rescaling_a_layer_against_another_changes_nothing(form, rescaled):
    network, samples = Lenet300(bias=False).network((1, 8, 8), 4, 0), drawn()
    first, second, _ = layers(network, samples).values()
    before = [form(layer) for layer in (first, second)]
    with torch.no_grad():
        network.get_parameter(first.name).mul_(4)
        network.get_parameter(second.name).div_(4)
    after = [own(layer) for own, layer in zip(rescaled, (first, second), strict=True)]
    for one, two in zip(before, after, strict=True):
        assert two.loss_before == pytest.approx(one.loss_before, rel=1e-6)
        assert two.sensitivity == pytest.approx(one.sensitivity, rel=1e-3)


def test_the_probe_prunes_the_smallest_weights_of_one_layer():
    layer = linear(torch.tensor([[0.3, 0.8, 0.5]]).view(1, 3, 1, 1), torch.tensor([0]))
    # Of 0.2 -0.1 0.4 / -0.3 0.1 0.2 a third goes, -0.1 and 0.1: the margin 0.18 - 0.09 becomes 0.26 - 0.01.
    found = PruneProbe(sparsity=1 / 3)(layer)
    before, after = math.log1p(math.exp(-(0.18 - 0.09))), math.log1p(math.exp(-(0.26 - 0.01)))
    assert found.loss_before == pytest.approx(before, rel=1e-6)
    assert found.sensitivity == pytest.approx(after - before, rel=1e-5)
    assert found.distance == pytest.approx(math.sqrt(0.02 / 0.35), rel=1e-6)


def test_the_probe_takes_its_share_of_the_weights_that_exist_and_leaves_one():
    layer = linear(torch.ones(1, 3, 1, 1), torch.tensor([0]))
    mask = torch.tensor([[True, False, True], [True, False, True]])
    sparse = Layer(layer.network, layer.name, mask, layer.samples)
    kept = PruneProbe(sparsity=0.5).changed(sparse) != 0
    assert kept.tolist() == [[False, False, True], [True, False, False]]
    assert int((PruneProbe(sparsity=0.99).changed(sparse) != 0).sum()) == 1


@pytest.mark.parametrize(
    ("form", "fields", "said"),
    [
        ("prune_probe", {"sparsity": 1}, r"sparsity must be in \(0, 1\), got 1"),
        ("weight_perturbation", {"epsilon": 0}, "epsilon must be positive, got 0"),
        ("weight_perturbation", {"lr": -1}, "lr must be positive, got -1"),
        ("weight_perturbation", {"epochs": 0}, "epochs must be at least 1, got 0"),
        ("weight_perturbation", {"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(form, fields, said):
    with pytest.raises(SpecError, match=said):
        build(Sensitivity, {"name": form, **fields})


FOUND = {"a": 0.1, "b": 0.5, "c": 0.3, "d": 2.1}


def test_sensitivities_are_scaled_from_the_smallest_to_the_largest():
    assert scaled(FOUND, "min_max") == pytest.approx({"a": 0, "b": 0.2, "c": 0.1, "d": 1})
    assert scaled(FOUND, "rank") == pytest.approx({"a": 0, "b": 2 / 3, "c": 1 / 3, "d": 1})
    assert scaled({"a": -1, "b": 3, "c": 3}, "rank") == pytest.approx({"a": 0, "b": 1, "c": 1})
    assert (
        scaled({"a": 0.5, "b": 0.5}, "min_max") == scaled({"a": 0.5}, "rank") | {"b": 0} == {"a": 0, "b": 0}
    )


def test_ratios_fall_with_the_sensitivity_by_the_protection():
    assert pruning_ratios(FOUND, "min_max", 0.8) == pytest.approx({"a": 1, "b": 0.84, "c": 0.92, "d": 0.2})
    assert pruning_ratios(FOUND, "min_max", 1)["d"] == 0
    assert set(pruning_ratios(FOUND, "rank", 0).values()) == {1}


@pytest.mark.parametrize("scale", ["min_max", "rank"])
@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9, 0.95])
def test_what_a_sensitive_layer_loses_is_less_and_the_total_is_met(scale, sparsity):
    sizes = {"a": 400, "b": 100, "c": 9000, "d": 500}
    gone = losses(pruning_ratios(FOUND, scale, 0.8), sizes, sparsity, most=0.98, least=0.05)
    assert sum(gone[name] * size for name, size in sizes.items()) == pytest.approx(
        sparsity * 10_000, abs=1e-6
    )
    assert gone["a"] >= gone["c"] >= gone["b"] >= gone["d"]
    assert all(0.05 <= share <= 0.98 for share in gone.values())
    if sparsity == 0.5:  # no limit is met: r = factor * (1 - 0.8 u)
        assert gone["d"] / gone["a"] == pytest.approx(0.2)


def test_classes_take_turns_and_no_image_comes_twice():
    labels = torch.tensor([0] * 5 + [1] * 2 + [2] * 9)
    places = in_turns(labels, 8, seed=3)
    assert labels[places].tolist() == [0, 1, 2, 0, 1, 2, 0, 2]
    whole = in_turns(labels, 100, seed=3)
    assert torch.equal(whole[:8], places)
    assert sorted(whole.tolist()) == list(range(16))
    assert not torch.equal(in_turns(labels, 8, seed=4), places)
