"""Numbers of parameters as published, counted without making a weight."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orchestrator.build import build
from workloads.architectures.base import Architecture, Network
from workloads.masks import prunable

GREY, CIFAR, IMAGENET = (1, 28, 28), (3, 32, 32), (3, 224, 224)


def shell(name: str, shape: tuple[int, int, int], classes: int, **fields) -> Network:
    """A network of the right shape without values."""
    architecture = build(Architecture, {"name": name, **fields})
    with torch.device("meta"):
        body, width = architecture.body(shape)
        return Network(body, nn.Linear(width, classes, bias=architecture.head_bias), shape, classes)


@pytest.mark.parametrize(
    ("name", "fields", "shape", "classes", "parameters"),
    [
        ("lenet300", {}, GREY, 10, 266_610),
        ("lenet300", {"bias": False}, GREY, 10, 266_200),
        ("lenet5", {}, GREY, 10, 61_706),
        ("lenet5", {"form": "caffe"}, GREY, 10, 431_080),
        ("conv6", {}, CIFAR, 10, 2_262_602),
        ("resnet20", {}, CIFAR, 10, 272_474),
        ("resnet32", {}, CIFAR, 10, 466_906),
        ("resnet44", {}, CIFAR, 10, 661_338),
        ("resnet56", {}, CIFAR, 10, 855_770),
        ("resnet110", {}, CIFAR, 10, 1_730_714),
        ("resnet18", {}, CIFAR, 10, 11_173_962),
        ("resnet18", {"stem": "imagenet"}, IMAGENET, 1000, 11_689_512),
        ("resnet34", {"stem": "imagenet"}, IMAGENET, 1000, 21_797_672),
        ("resnet50", {"stem": "imagenet"}, IMAGENET, 1000, 25_557_032),
        ("wide_resnet", {"depth": 28, "width": 10}, CIFAR, 10, 36_479_194),
        ("wide_resnet", {"depth": 16, "width": 10}, CIFAR, 10, 17_116_634),
        ("vgg11", {"classifier": "imagenet"}, IMAGENET, 1000, 132_868_840),
        ("vgg16", {"classifier": "imagenet"}, IMAGENET, 1000, 138_365_992),
        ("vgg19", {"classifier": "imagenet"}, IMAGENET, 1000, 143_678_248),
        ("mobilenet_v2", {"stem": "imagenet"}, IMAGENET, 1000, 3_504_872),
        ("mobilenet_v2", {"stem": "imagenet", "width": 0.5}, IMAGENET, 1000, 1_968_680),
        ("mobilenet_v2", {"stem": "imagenet", "width": 1.4}, IMAGENET, 1000, 6_108_776),
        ("densenet", {"depth": 100, "growth": 12}, CIFAR, 10, 769_162),
        ("densenet", {"depth": 40, "growth": 12}, CIFAR, 10, 176_122),
        ("vit_tiny", {"patch": 16}, IMAGENET, 1000, 5_717_416),
    ],
)
def test_published_numbers_of_parameters(name, fields, shape, classes, parameters) -> None:
    net = shell(name, shape, classes, **fields)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


@pytest.mark.parametrize(
    ("name", "fields", "shape", "weights"),
    [
        ("lenet300", {}, GREY, 266_200),
        ("lenet300", {"bias": False}, GREY, 266_200),
        ("conv6", {}, CIFAR, 2_261_184),
        ("resnet18", {}, CIFAR, 11_164_352),
        ("wide_resnet", {"depth": 22, "width": 2}, CIFAR, 1_076_912),
    ],
)
def test_published_numbers_of_prunable_weights(name, fields, shape, weights) -> None:
    assert sum(weight.numel() for weight in prunable(shell(name, shape, 10, **fields)).values()) == weights


@pytest.mark.parametrize("name", ["lenet5", "lenet300"])
def test_the_networks_that_have_an_older_name_are_the_same(name) -> None:
    older = {"lenet5": "lenet", "lenet300": "mlp"}[name]
    new, old = (build(Architecture, kind).network(GREY, 10, 3).state_dict() for kind in (name, older))
    assert new.keys() == old.keys()
    assert all(torch.equal(value, old[key]) for key, value in new.items())


@pytest.mark.parametrize(
    ("name", "fields", "layers"),
    [
        ("resnet18", {}, 18),
        ("resnet34", {}, 34),
        ("resnet50", {}, 50),
        ("resnet110", {}, 110),
        ("vgg11", {"classifier": "imagenet"}, 11),
        ("vgg16", {"classifier": "imagenet"}, 16),
        ("vgg19", {"classifier": "imagenet"}, 19),
        ("densenet", {"depth": 40}, 40),
    ],
)
def test_a_network_has_as_many_layers_as_its_name_says(name, fields, layers) -> None:
    weights = prunable(shell(name, CIFAR, 10, **fields))
    assert len([key for key in weights if "shortcut" not in key]) == layers


def test_a_wide_residual_network_counts_its_shortcuts_and_not_its_head() -> None:
    weights = prunable(shell("wide_resnet", CIFAR, 10, depth=28, width=10))
    assert len(weights) - 1 == 28


def test_a_network_without_biases_has_none_and_may_start_as_glorot_has_it() -> None:
    net = build(Architecture, {"name": "lenet300", "bias": False, "initial": "glorot"}).network(GREY, 10, 0)
    assert not [name for name, _ in net.named_parameters() if "bias" in name]
    bound = (6 / (784 + 300)) ** 0.5
    assert net.body.hidden1.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)


def test_names_of_layers_say_where_they_are() -> None:
    assert list(prunable(shell("wide_resnet", CIFAR, 10, depth=10, width=1)))[:4] == [
        "body.stem.weight",
        "body.stage1.block1.conv1.weight",
        "body.stage1.block1.conv2.weight",
        "body.stage2.block1.conv1.weight",
    ]
    assert list(prunable(shell("vit_tiny", CIFAR, 10)))[:5] == [
        "body.tokens.patches.weight",
        "body.block1.attention.queries_keys_values.weight",
        "body.block1.attention.out.weight",
        "body.block1.hidden.weight",
        "body.block1.out.weight",
    ]


def test_a_transformer_has_a_token_for_every_patch_and_one_more() -> None:
    assert shell("vit_tiny", CIFAR, 10).body.tokens.positions.shape == (1, 65, 192)
    assert shell("vit_tiny", (1, 9, 13), 10).body.tokens.positions.shape == (1, 3 * 4 + 1, 192)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("resnet56", {"width": 0}, "width must be at least 1, got 0"),
        ("resnet18", {"width": 0}, "width must be at least 1, got 0"),
        ("vgg11", {"width": 0}, "width must be at least 1, got 0"),
        ("conv6", {"width": 0}, "width must be at least 1, got 0"),
        ("wide_resnet", {"width": 0}, "width must be at least 1, got 0"),
        ("wide_resnet", {"depth": 27}, r"depth must be 6 n \+ 4 .*, got 27"),
        ("densenet", {"depth": 4}, r"depth must be 6 n \+ 4 .*, got 4"),
        ("densenet", {"growth": 0}, "growth must be at least 1, got 0"),
        ("vit_tiny", {"patch": 0}, "patch must be at least 1, got 0"),
        ("vit_tiny", {"blocks": 0}, "blocks must be at least 1, got 0"),
        ("vit_tiny", {"width": 64}, "width must be a multiple of the 3 heads, got 64"),
        ("mobilenet_v2", {"width": 0}, "width must be positive, got 0"),
    ],
)
def test_sizes_that_make_no_network_are_refused(name, fields, message) -> None:
    with pytest.raises(Exception, match=message):
        build(Architecture, {"name": name, **fields})
