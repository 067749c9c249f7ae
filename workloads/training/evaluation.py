"""What a network says about images, attacked or not, without learning from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.architectures._modes import evaluated
from workloads.architectures.base import Network
from workloads.attacks._ascent import mistaken, odds, slope
from workloads.attacks._known import Known
from workloads.attacks._turns import by, in_turn
from workloads.attacks.base import Attack
from workloads.datasets._conversion import as_float
from workloads.datasets.base import Split
from workloads.pruning._samples import Samples
from workloads.randomness import derive, stream

#: Images of one forward pass. Fixed: how many there are may show in the last bits of a result.
BATCH = 512


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
    """Logits (N, outputs) of the attacked images; those that were wrong before are left as they are."""
    labels: Tensor
    blind: float
    """Share of the images where the loss is exactly flat, so that no gradient can lead an attack."""
    batch_size: int
    """Images that were attacked at once; less than was asked for where the memory did not hold more."""

    def standing(self, classes: int) -> Tensor:
        """Whether (N,) the largest of the first ``classes`` logits is still the label's."""
        return self.worst[:, :classes].argmax(1).cpu() == self.labels


def drawn(count: int, samples: int | None) -> Tensor:
    """Positions of ``samples`` of ``count`` images (None: all), the same for every network; rising."""
    order = torch.randperm(count, generator=stream(0, "drawn for an attack"))
    return order[:samples].sort().values


def attacked(
    network: Network, attack: Attack, split: Split, places: Tensor, *, batch_size: int, seed: int
) -> Attacked:
    """The outcome of ``attack`` on the images of ``split`` at ``places``, ``batch_size`` at once.

    Where the device has too little memory for that, half as many at once.

    Raises:
        ValueError: the images are no pixels, so that nobody knows which images an attack may show.
        torch.OutOfMemoryError: there is too little memory for one image.
    """
    if split.images.dtype != torch.uint8:
        raise ValueError(f"an attack needs images of pixels from 0 to 255 (uint8), got {split.images.dtype}")
    outcomes, done, size = [], 0, batch_size
    with evaluated(network), torch.no_grad():
        while done < len(places):
            part = places[done : done + size]
            try:
                outcomes.append(_outcome(network, attack, split, part, seed))
            except torch.OutOfMemoryError:
                if len(part) == 1:
                    raise
                size = (len(part) + 1) // 2
            else:
                done += len(part)
    clean, worst, flat = (torch.cat(parts) for parts in zip(*outcomes, strict=True))
    return Attacked(clean, worst, split.labels[places], float(flat.double().mean()), size)


def fixed_attack(network: Network, attack: Attack, split: Split, places: Tensor, seed: int) -> Samples:
    """The images of ``split`` at ``places`` as ``attack`` on the known classes of ``network`` makes them.

    Those that are wrong before are attacked as well. The noise belongs to an image's place in its split.
    """
    known, device = Known(network), network.mean.device
    found = []
    with evaluated(network):
        for part in torch.split(places, BATCH):
            images = as_float(split.images[part].to(device))
            found.append(attack(known, images, split.labels[part].to(device), part.to(device), seed))
    return Samples(torch.cat(found), split.labels[places].to(device))


def _outcome(
    network: Network, attack: Attack, split: Split, places: Tensor, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of clean and of attacked images, and where the loss is flat, for one batch."""
    known = Known(network)
    images = as_float(split.images[places].to(network.mean.device))
    labels, samples = split.labels[places].to(images.device), places.to(images.device)
    _, gradient, clean = slope(network, images, lambda logits: odds(logits[:, : network.classes], labels))
    worst, right = clean.clone(), (~mistaken(network, clean, labels)).nonzero()[:, 0]
    if len(right) > 0:
        searches = [by(attack, known, seed)]
        if clean.shape[1] > network.classes:
            searches.append(by(attack, network, derive(seed, "all outputs")))
        found = in_turn(searches, known, images[right], labels[right], samples[right])
        worst[right] = network(found)
    return clean, worst, gradient.flatten(1).abs().amax(1) == 0
