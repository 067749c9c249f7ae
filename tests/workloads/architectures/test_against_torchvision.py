"""With the weights of torchvision's networks ours give the same logits: its layers, its order."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import densenet, mobilenet_v2, resnet, vgg, vision_transformer

from orchestrator.build import build
from workloads.architectures.base import Architecture
from workloads.randomness import uniform

SHAPE = (3, 40, 40)
IMAGES = uniform(0, torch.arange(3), SHAPE)


def ours(name: str, shape: tuple[int, int, int] = SHAPE, **fields):
    return build(Architecture, {"name": name, **fields}).network(shape, 7, 0).eval()


def wake(module: nn.Module) -> None:
    """Statistics and scales of norms as after a training, so that none is the identity."""
    for number, layer in enumerate(module.modules()):
        if isinstance(layer, nn.BatchNorm2d):
            for at, tensor in enumerate((layer.weight, layer.bias, layer.running_mean, layer.running_var)):
                tensor.data = 0.5 + uniform(at, torch.tensor([number]), tuple(tensor.shape))[0]


def same_values(target: nn.Module, source: nn.Module) -> None:
    """Put the tensors of ``source`` into ``target``, one after another."""
    theirs = list(source.state_dict().values())
    names = [name for name in target.state_dict() if name not in ("mean", "std")]
    assert len(names) == len(theirs)
    target.load_state_dict(dict(zip(names, theirs, strict=True)), strict=False)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("resnet18", resnet.resnet18),
        ("resnet50", resnet.resnet50),
        ("mobilenet_v2", mobilenet_v2),
    ],
)
@torch.no_grad()
def test_the_form_for_imagenet_is_that_of_torchvision(name, theirs) -> None:
    with torch.random.fork_rng():
        oracle = theirs(num_classes=7).eval()
    wake(oracle)
    net = ours(name, stem="imagenet")
    same_values(net, oracle)
    assert torch.allclose(net(IMAGES), oracle(IMAGES), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "letter"), [("vgg11", "A"), ("vgg16", "D")])
@torch.no_grad()
def test_the_convolutions_of_vgg_are_those_of_torchvision(name, letter) -> None:
    with torch.random.fork_rng():
        oracle = vgg.make_layers(vgg.cfgs[letter], batch_norm=True).eval()
    wake(oracle)
    shape = (3, 32, 32)
    body = ours(name, shape).body
    same_values(body, oracle)
    images = uniform(0, torch.arange(3), shape)
    assert torch.allclose(body(images), oracle(images).flatten(1), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_stages_of_a_densenet_are_those_of_torchvision() -> None:
    with torch.random.fork_rng():
        whole = densenet.DenseNet(growth_rate=6, block_config=(2, 2, 2), num_init_features=12).eval()
    oracle = whole.features[4:]  # its stem is that for ImageNet
    wake(oracle)
    body = ours("densenet", depth=16, growth=6).body
    stages = body[1:-2]
    same_values(stages, oracle)
    maps = uniform(0, torch.arange(3), (12, 16, 16))
    assert torch.allclose(stages(maps), oracle(maps), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_vision_transformer_is_that_of_torchvision() -> None:
    with torch.random.fork_rng():
        oracle = vision_transformer.VisionTransformer(
            image_size=40,
            patch_size=8,
            num_layers=12,
            num_heads=3,
            hidden_dim=192,
            mlp_dim=768,
            num_classes=7,
        ).eval()
        nn.init.normal_(oracle.heads[0].weight)  # torchvision starts it at zero
        nn.init.normal_(oracle.class_token)
    theirs = oracle.state_dict()
    position = theirs.pop("encoder.pos_embedding")
    kernel, bias = theirs.pop("conv_proj.weight"), theirs.pop("conv_proj.bias")
    first = theirs.pop("class_token")
    values = [first, position, kernel, bias, *theirs.values()]
    net = ours("vit_tiny", patch=8)
    names = [name for name in net.state_dict() if name not in ("mean", "std")]
    net.load_state_dict(dict(zip(names, values, strict=True)), strict=False)
    assert torch.allclose(net(IMAGES), oracle(IMAGES), rtol=1e-4, atol=1e-4)
