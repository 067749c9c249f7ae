"""What a network says about images, attacked or not, without learning from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.attacks._ascent import ascent
from workloads.attacks.base import Attack
from workloads.datasets.base import Split
from workloads.randomness import stream
from workloads.training.batches import as_float

#: Images of one forward pass. Fixed: how many there are may show in the last bits of a result.
BATCH = 512


@contextmanager
def evaluated(network: Network) -> Iterator[None]:
    """``network`` in evaluation mode; afterwards in the mode it had."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


@torch.no_grad()
def forward(network: Network, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, outputs) and features (N, D) of ``images`` of uint8, on the network's device."""
    with evaluated(network):
        parts = (as_float(part.to(network.mean.device)) for part in torch.split(images, BATCH))
        features = [network.features(part) for part in parts]
        logits = [network.head(part) for part in features]
    return torch.cat(logits), torch.cat(features)


@dataclass(frozen=True)
class Attacked:
    """What an attack did to a network."""

    clean: Tensor
    """Logits (N, outputs) of the images as they are."""
    worst: Tensor
    """Logits (N, outputs) of the attacked images."""
    labels: Tensor
    blind: float
    """Share of the images where the loss is exactly flat, so that no gradient can lead an attack."""


def drawn(count: int, samples: int | None) -> Tensor:
    """Positions of ``samples`` of ``count`` images (None: all), the same for every network; rising."""
    order = torch.randperm(count, generator=stream(0, "drawn for an attack"))
    return order[:samples].sort().values


def attacked(
    network: Network, attack: Attack, split: Split, batches: Sequence[Tensor], seed: int
) -> Attacked:
    """The outcome of ``attack`` on the images of ``split`` at the positions in ``batches``."""
    device = network.mean.device
    clean, worst, blind = [], [], 0
    with evaluated(network), torch.no_grad():
        for places in batches:
            images = as_float(split.images[places].to(device))
            labels = split.labels[places].to(device)
            ways = ascent(network, images, labels, "linf")
            blind += int((ways.flatten(1).abs().amax(1) == 0).sum())
            clean.append(network(images))
            worst.append(network(attack(network, images, labels, places.to(device), seed)))
    places = torch.cat(list(batches))
    return Attacked(torch.cat(clean), torch.cat(worst), split.labels[places], blind / len(places))
