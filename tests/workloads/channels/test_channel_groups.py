"""Channels that belong together, and networks without some of them."""

from __future__ import annotations

import copy

import pytest
import torch
from small_networks import small

from orchestrator.build import names
from workloads.architectures._channels import (
    composed,
    keep,
    relative,
    weights_left,
    weights_of_architecture,
)
from workloads.architectures._modes import evaluated
from workloads.architectures.base import Architecture
from workloads.architectures.lenet import Lenet
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.channels._groups import coupled, sides, totals
from workloads.masks import prunable
from workloads.randomness import stream

SHAPE = (1, 8, 8)
#: The same blocks again, many times.
DEEPER = {f"resnet{layers}" for layers in (20, 32, 34, 44, 56, 110)} | {"vgg16", "vgg19"}
FAMILIES = [name for name in names(Architecture) if name not in DEEPER]


def thirds(groups):
    """Which two of three channels of each group stay."""
    return {group.name: torch.arange(group.size) % 3 != 1 for group in groups}


def bools(text):
    return torch.tensor([letter == "1" for letter in text])


@torch.no_grad()
def silenced(network, now):
    """A copy of ``network`` in which what makes the channels that are not in ``now`` is exactly zero."""
    silent = copy.deepcopy(network)
    for name, layer in silent.named_modules():
        if (mask := now.get(f"{name}/out")) is not None:
            for tensor in layer.parameters(recurse=False):
                tensor[~mask] = 0.0
    return silent


def with_lively_norms(network):
    """``network`` with norms and biases unlike those of a fresh one, so that a wrong slice shows."""
    draws = stream(0, "test")
    with torch.no_grad():
        for tensor in network.parameters():
            if tensor.dim() == 1:
                tensor.copy_(torch.rand(tensor.shape, generator=draws) + 0.5)
        for name, tensor in network.named_buffers():
            if "running" in name:
                tensor.copy_(torch.rand(tensor.shape, generator=draws) + 0.5)
    return network


def outputs(network):
    with torch.no_grad(), evaluated(network):
        return network(torch.rand(4, *SHAPE, generator=stream(1, "test")))


@pytest.mark.parametrize("name", FAMILIES)
def test_channels_that_say_nothing_can_go_and_nothing_changes(name):
    network = with_lively_norms(small(name).network(SHAPE, 10, seed=0))
    groups = coupled(network)
    now = sides(groups, thirds(groups))
    silent = silenced(network, now)
    sizes = {key: weight.numel() for key, weight in prunable(network).items()}
    expected = outputs(silent)
    assert not torch.allclose(expected, outputs(network), atol=1e-3)
    left = weights_left(silent, now)
    keep(silent, now)
    assert torch.allclose(outputs(silent), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert {key: weight.numel() for key, weight in prunable(silent).items()} == left
    assert weights_of_architecture(silent) == sizes
    assert sum(left.values()) < 0.8 * sum(sizes.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_every_hidden_channel_is_in_one_group(name):
    network = small(name).network(SHAPE, 10, seed=0)
    made = [slot.layer for group in coupled(network) for slot in group.slots if slot.side == "out"]
    assert len(made) == len(set(made)) or name == "densenet"  # whose norms see channels of many layers
    layers = {key.removesuffix(".weight") for key in prunable(network)} - {"head"}
    if name == "vit_tiny":  # tokens and attention stay whole
        layers = {layer for layer in layers if layer.endswith(".hidden")}
    assert layers <= set(made)


def test_a_shortcut_couples_the_layers_it_passes_by():
    groups = {group.name: group for group in coupled(Resnet8(width=4).network(SHAPE, 10, 0))}
    stream_of = groups["body.stem.conv.weight"]
    assert (stream_of.size, groups["body.stage1.block1.conv1.weight"].size) == (4, 4)
    members = {(slot.layer.removeprefix("body."), slot.side) for slot in stream_of.slots}
    assert members == {
        ("stem.conv", "out"),
        ("stem.norm", "out"),
        ("stage1.block1.conv1", "in"),
        ("stage1.block1.conv2", "out"),
        ("stage1.block1.norm2", "out"),
        ("stage2.block1.conv1", "in"),
        ("stage2.block1.shortcut.conv", "in"),
    }


def test_a_channel_of_flattened_maps_is_read_at_many_places():
    network = Lenet().network(SHAPE, 10, 0)
    group = next(group for group in coupled(network) if group.name == "body.conv2.weight")
    ones = {name: torch.ones_like(weight) for name, weight in prunable(network).items()}
    pixels = network.body.hidden1.in_features // 16
    assert totals(group, ones, "out").tolist() == [6.0 * 25] * 16
    assert totals(group, ones, "in").tolist() == [120.0 * pixels] * 16


def test_channels_are_counted_in_terms_of_the_architecture_however_often_some_go():
    first = {"a/out": bools("110110"), "b/in": bools("0111")}
    both = composed(first, {"a/out": bools("1001"), "c/out": bools("10")})
    assert {side: mask.tolist() for side, mask in both.items()} == {
        "a/out": bools("100010").tolist(),
        "b/in": bools("0111").tolist(),
        "c/out": bools("10").tolist(),
    }
    again = relative(first, both)
    assert again["a/out"].tolist() == bools("1001").tolist()
    assert again["b/in"].all()
    assert first["a/out"].tolist() == bools("110110").tolist()


@pytest.mark.parametrize("after", [{"a/out": bools("101")}, {}])
def test_a_channel_that_is_gone_cannot_come_back(after):
    with pytest.raises(ValueError, match="channels that are gone cannot be kept, got some of a/out"):
        relative({"a/out": bools("110")}, after)


def test_narrowing_in_two_steps_is_narrowing_at_once():
    whole = with_lively_norms(Mlp(hidden=(12, 9)).network(SHAPE, 10, 0))
    steps = copy.deepcopy(whole)
    for _ in range(2):
        groups = coupled(steps)
        keep(steps, composed(steps.channels, sides(groups, thirds(groups))))
    # of 12 channels 8 stay and then 5 of these (not the second, fifth and eighth); of 9 six, then four
    assert [steps.body.hidden1.out_features, steps.body.hidden2.out_features] == [5, 4]
    keep(whole, steps.channels)
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), steps.parameters(), strict=True))
    assert whole.channels["body.hidden1/out"].nonzero().flatten().tolist() == [0, 3, 5, 8, 9]
