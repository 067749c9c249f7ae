"""Values that are published or can be counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orchestrator.build import build
from workloads.architectures._residual import Block
from workloads.architectures.base import Architecture
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.masks import prunable

GREY, COLOUR, DIGIT = (1, 28, 28), (3, 32, 32), (1, 8, 8)


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        ("mlp", GREY, 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10),
        ("mlp", DIGIT, 64 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10),
        ("lenet", GREY, 61_706),
        ("lenet", (1, 32, 32), 61_706),
        ("lenet", COLOUR, 62_006),
        ("resnet20", COLOUR, 272_474),
    ],
)
def test_published_numbers_of_parameters(name, shape, parameters) -> None:
    net = build(Architecture, name).network(shape, 10, 0)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


def test_the_266_200_weights_of_lenet_300_100_are_prunable() -> None:
    assert sum(weight.numel() for weight in prunable(Mlp().network(GREY, 10, 0)).values()) == 266_200


def test_names_of_layers_say_where_they_are() -> None:
    assert list(prunable(Mlp().network(GREY, 10, 0))) == [
        "body.hidden1.weight",
        "body.hidden2.weight",
        "head.weight",
    ]
    assert list(prunable(Resnet8().network(GREY, 10, 0))) == [
        "body.stem.conv.weight",
        "body.stage1.block1.conv1.weight",
        "body.stage1.block1.conv2.weight",
        "body.stage2.block1.conv1.weight",
        "body.stage2.block1.conv2.weight",
        "body.stage2.block1.shortcut.conv.weight",
        "body.stage3.block1.conv1.weight",
        "body.stage3.block1.conv2.weight",
        "body.stage3.block1.shortcut.conv.weight",
        "head.weight",
    ]


@pytest.mark.parametrize(("name", "layers"), [("resnet8", 8), ("resnet20", 20)])
def test_a_residual_network_has_as_many_layers_as_its_name_says(name, layers) -> None:
    weights = prunable(build(Architecture, name).network(COLOUR, 10, 0))
    assert len([key for key in weights if "shortcut" not in key]) == layers


def test_an_mlp_without_hidden_layers_is_a_linear_classifier() -> None:
    net = Mlp(hidden=()).network(DIGIT, 10, 0)
    images = torch.rand(3, *DIGIT, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(net(images), images.flatten(1) @ net.head.weight.T, atol=1e-6)


def test_a_block_whose_convolutions_are_zero_passes_its_input_through() -> None:
    block = Block(4, 4, 1).eval()
    for convolution in (block.conv1, block.conv2):
        nn.init.zeros_(convolution.weight)
    maps = torch.rand(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(block(maps), maps)


def test_widths_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"hidden must be widths of at least 1, got \[300, 0\]"):
        Mlp(hidden=(300, 0))
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        Resnet8(width=0)
