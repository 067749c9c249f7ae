"""A network as a folder: `model.safetensors` (weights, buffers, masks, channels) and `network.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from workloads.architectures._channels import keep
from workloads.architectures.base import Architecture, Network, Shape
from workloads.masks import Masks, apply_masks

MODEL, DESCRIPTION, MASK, CHANNELS = "model.safetensors", "network.json", "mask/", "channels/"


@dataclass(frozen=True)
class Description:
    """What is needed to build a network again, and what it has been through."""

    architecture: Mapping[str, Any]
    """The architecture as data: its name and fields."""
    dataset: Mapping[str, Any]
    """The data set it learned, or will learn, as data."""
    shape: Shape
    classes: int
    epochs: int
    """Epochs of training over the whole ancestry."""
    training_flops: float = 0.0
    """Floating-point operations of these."""


def save_network(folder: Path, network: Network, masks: Masks, description: Description) -> None:
    """Write ``network`` with its masked weights at exactly zero; equal networks give equal bytes."""
    apply_masks(network, masks)
    tensors = network.state_dict() | {MASK + name: mask for name, mask in masks.items()}
    tensors |= {CHANNELS + side: mask for side, mask in network.channels.items()}
    save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, folder / MODEL)
    text = json.dumps(asdict(description), indent=1, sort_keys=True)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def load_description(folder: Path) -> Description:
    """What the network in ``folder`` is."""
    found = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return Description(**found | {"shape": tuple(found["shape"])})


def load_network(
    folder: Path, architecture: Architecture, description: Description, device: str
) -> tuple[Network, Masks]:
    """The network in ``folder`` and its masks, on ``device``."""
    network = architecture.network(description.shape, description.classes, seed=0)
    tensors = load_file(folder / MODEL)
    masks, channels = (
        {name.removeprefix(kind): tensors.pop(name) for name in [*tensors] if name.startswith(kind)}
        for kind in (MASK, CHANNELS)
    )
    keep(network, channels)
    network.load_state_dict(tensors)
    placed = network.to(device, memory_format=layout_of(device))  # type: ignore[call-overload]
    return placed, {name: masks[name].to(device) for name in network.state_dict() if name in masks}


def layout_of(device: str) -> torch.memory_format:
    """How weights lie in memory: with the channels last on a GPU, which convolutions there prefer."""
    return torch.preserve_format if device == "cpu" else torch.channels_last
