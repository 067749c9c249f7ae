"""Scores of channels against definitions written another way."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from orchestrator.build import build, names
from workloads.architectures.lenet import Lenet
from workloads.architectures.resnet8 import Resnet8
from workloads.channels._groups import coupled
from workloads.channels.base import ChannelCriterion
from workloads.channels.crop import Crop
from workloads.channels.crop_iterative import CropIterative
from workloads.channels.norm import Norm
from workloads.channels.random import Random
from workloads.channels.taylor import Taylor
from workloads.datasets.digits import Digits
from workloads.masks import prunable
from workloads.pruning._samples import balanced

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def data():
    return Digits().learning()


@pytest.fixture(scope="module")
def network():
    return Lenet().network(SHAPE, 10, seed=3)


def gated(network, gates):
    """Hooks that multiply the channels of the two convolutions, behind their ReLU, by ``gates``."""
    body = network.body
    return [
        layer.register_forward_hook(lambda _, __, out, gate=gate: out * gate[:, None, None])
        for layer, gate in zip((body.relu1, body.relu2), gates, strict=True)
    ]


def by_gates(network, samples, flow):
    """The derivatives by the gates of the two convolutions: of the loss, or of the gradient flow."""
    gates = [torch.ones(6, requires_grad=True), torch.ones(16, requires_grad=True)]
    hooks = gated(network.eval(), gates)
    value = cross_entropy(network(samples.images), samples.labels)
    if flow:
        weights = list(prunable(network).values())
        slopes = torch.autograd.grad(value, weights, create_graph=True)
        value = sum((slope * slope.detach()).sum() for slope in slopes)
    found = torch.autograd.grad(value, gates)
    for hook in hooks:
        hook.remove()
    return dict(zip(("body.conv1.weight", "body.conv2.weight"), found, strict=True))


@pytest.mark.parametrize("name", names(ChannelCriterion))
def test_a_criterion_gives_each_channel_a_number_and_repeats_itself(name, data):
    network = Resnet8(width=2).network(SHAPE, 10, seed=0)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    groups, criterion = coupled(network), build(ChannelCriterion, name)
    first, again = (criterion.scores(network, groups, data, 7) for _ in range(2))
    assert [*first] == [group.name for group in groups]
    for group in groups:
        assert first[group.name].shape == (group.size,)
        assert first[group.name].isfinite().all()
        assert torch.equal(first[group.name], again[group.name])
        assert len(set(first[group.name].tolist())) > 1
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


@pytest.mark.parametrize("order", [1, 2])
def test_a_norm_is_that_of_the_filters_that_make_a_channel_over_their_mean(order, data, network):
    found = Norm(order=order).scores(network, coupled(network), data, 0)
    norms = torch.linalg.vector_norm(network.body.conv2.weight.detach().flatten(1), order, dim=1)
    assert torch.allclose(found["body.conv2.weight"], norms / norms.mean())
    assert not torch.allclose(
        found["body.conv2.weight"],
        Norm(3 - order).scores(network, coupled(network), data, 0)["body.conv2.weight"],
    )


def test_coupled_filters_count_as_one(data):
    network = Resnet8(width=4).network(SHAPE, 10, seed=0)
    found = Norm().scores(network, coupled(network), data, 0)["body.stem.conv.weight"]
    filters = [network.body.stem.conv.weight, network.body.stage1.block1.conv2.weight]
    norms = sum(weight.detach().abs().sum((1, 2, 3)) for weight in filters)
    assert torch.allclose(found, norms / norms.mean())


def test_channels_without_any_weight_score_zero(data):
    network = Lenet().network(SHAPE, 10, seed=3)
    torch.nn.init.zeros_(network.body.conv1.weight)
    assert Norm().scores(network, coupled(network), data, 0)["body.conv1.weight"].tolist() == [0.0] * 6


def test_taylor_is_the_squared_derivative_by_a_gate(data, network):
    samples = balanced(data.train, 3, 5, torch.device("cpu"))
    derivatives = [by_gates(network, part, flow=False) for part in samples.parts(2)]
    found = Taylor(per_class=3, batches=2).scores(network, coupled(network), data, 5)
    for name in derivatives[0]:
        expected = torch.stack([part[name] for part in derivatives]).square().mean(0)
        assert torch.allclose(found[name], expected, rtol=1e-3, atol=1e-4 * float(expected.max()))


def test_crop_is_the_derivative_of_the_gradient_flow_by_a_gate(data, network):
    samples = balanced(data.train, 3, 5, torch.device("cpu"))
    found = Crop(per_class=3).scores(network, coupled(network), data, 5)
    for name, derivative in by_gates(network, samples, flow=True).items():
        assert torch.allclose(
            found[name], derivative.abs(), rtol=1e-3, atol=1e-4 * float(derivative.abs().max())
        )


def test_a_channel_that_nobody_reads_matters_to_no_gate(data):
    network = Lenet().network(SHAPE, 10, seed=3)
    with torch.no_grad():
        network.body.conv2.weight[:, 2] = 0.0
    for criterion in (Taylor(), Crop()):
        found = criterion.scores(network, coupled(network), data, 0)["body.conv1.weight"]
        assert found[2] == 0
        assert (found > 0).sum() == 5


def test_another_seed_gives_another_order(data, network):
    groups = coupled(network)
    one, two = (Random().scores(network, groups, data, seed)["body.conv2.weight"] for seed in (0, 1))
    assert not torch.equal(one, two)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Norm(order=3), "order must be 1 or 2, got 3"),
        (lambda: Taylor(batches=0), "batches must be at least 1, got 0"),
        (lambda: CropIterative(steps=-1), "steps must not be negative, got -1"),
        (lambda: Crop(per_class=0), "per_class must be at least 1, got 0"),
    ],
)
def test_impossible_fields_are_refused(make, rule):
    with pytest.raises(ValueError, match=rule):
        make()
