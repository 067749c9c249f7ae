"""What is searched for before a robust loss is known: images on which the network is worse."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import kl_div

from workloads.architectures._modes import evaluated
from workloads.architectures.base import Network
from workloads.attacks._ascent import slope, way
from workloads.attacks._projection import project
from workloads.attacks.base import Attack
from workloads.objectives.base import Batch
from workloads.randomness import derive, normal

#: The deviation of the noise from which the divergence is climbed: at the image itself its gradient is 0.
START = 0.001


def with_attack(attack: Attack, network: Network, batch: Batch) -> Batch:
    """``batch`` with its images attacked, unless they are already; the network is in evaluation mode there.

    All outputs are attacked, unknown ones too: the images raise the loss that is minimised, which is more
    than the answer among the known classes by which the network is judged.
    """
    if batch.attacked is not None:
        return batch
    with evaluated(network):
        attacked = attack(network, batch.images, batch.labels, batch.samples, batch.seed)
    return replace(batch, attacked=attacked)


def with_divergence(epsilon: float, step: float, steps: int, network: Network, batch: Batch) -> Batch:
    """``batch`` with images in the l-infinity ball for which the network answers least like for clean ones.

    Climbs the divergence over all outputs by signs of its gradient from a little noise, unless the images are
    attacked already; the network is in evaluation mode there.
    """
    if batch.attacked is not None:
        return batch
    images = batch.images
    noise = normal(derive(batch.seed, "divergence"), batch.samples, tuple(images.shape[1:]))
    with evaluated(network), torch.no_grad():
        clean = network(images)
        found = project(images + START * noise, images, epsilon, "linf")
        for _ in range(steps):
            _, gradient, _ = slope(network, found, lambda logits: diverged(clean, logits))
            found = project(found + step * way(gradient, "linf"), images, epsilon, "linf")
    return replace(batch, attacked=found)


def diverged(clean: Tensor, hard: Tensor) -> Tensor:
    """KL(p || q) (N,) of the probabilities p of the logits ``clean`` and q of ``hard``, over all outputs."""
    said, now = clean.float().log_softmax(1), hard.float().log_softmax(1)
    return kl_div(now, said, reduction="none", log_target=True).sum(1)
