"""A network as a folder: what goes in comes out, dead weights are zero, equal networks give equal bytes."""

from __future__ import annotations

import pytest
import torch
from small_networks import small

from orchestrator.build import data_of, names
from workloads.architectures.base import Architecture
from workloads.architectures.mlp import Mlp
from workloads.masks import keep_largest, prunable
from workloads.training.checkpoint import Description, load_description, load_network, save_network
from workloads.training.evaluation import forward

SHAPE = (1, 8, 8)


def description_of(architecture):
    return Description(data_of(architecture), {"name": "digits", "keep": [3, 1]}, SHAPE, 10, 7)


@pytest.mark.parametrize("name", names(Architecture))
def test_a_network_comes_back_as_it_was_saved(name, tmp_path):
    architecture = small(name)
    network = architecture.network(SHAPE, 10, seed=5)
    for buffer in network.buffers():
        if buffer.is_floating_point():
            buffer.add_(0.01)
    masks = {
        key: keep_largest(weight.detach().abs(), weight.numel() // 2)
        for key, weight in prunable(network).items()
    }
    save_network(tmp_path, network, masks, description_of(architecture))
    found = load_description(tmp_path)
    assert found == description_of(architecture)
    loaded, loaded_masks = load_network(tmp_path, architecture, found, "cpu")
    assert list(loaded_masks) == list(masks)
    assert all(torch.equal(mask, masks[key]) for key, mask in loaded_masks.items())
    tensors = loaded.state_dict()
    assert all(torch.equal(tensor, tensors[key]) for key, tensor in network.state_dict().items())
    assert all(not tensors[key][~mask].any() for key, mask in masks.items())
    images = torch.randint(0, 256, (3, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(forward(network, images)[0], forward(loaded, images)[0])


def test_equal_networks_give_equal_bytes(tmp_path):
    folders = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        save_network(folder, Mlp().network(SHAPE, 10, 3), {}, description_of(Mlp()))
        folders.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert folders[0] == folders[1]
    assert folders[0].keys() == {"model.safetensors", "network.json"}


def test_looking_at_images_leaves_the_mode_and_the_weights_alone():
    network = Mlp().network(SHAPE, 10, 3).train()
    logits, features = forward(network, torch.zeros(1100, *SHAPE, dtype=torch.uint8))
    assert (logits.shape, features.shape) == ((1100, 10), (1100, 100))
    assert network.training
    assert not logits.requires_grad
