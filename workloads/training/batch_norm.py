"""Batch-norm statistics of a network whose weights were changed by other means than training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.datasets._conversion import as_float
from workloads.randomness import stream
from workloads.training.evaluation import BATCH


@torch.no_grad()
def recompute_statistics(network: Network, images: Tensor) -> None:
    """Set the running statistics to the mean over batches of ``images`` (N, C, H, W) of uint8.

    The batches are the same for every network; images that lie sorted by class are mixed, or the variance
    would be that within classes. The network's mode is left as it was. What is left over below a whole batch
    is left out.
    """
    size = min(BATCH, len(images))
    order = torch.randperm(len(images), generator=stream(0, "batch norm"))
    with new_statistics(network) as needed:
        for places in torch.split(order[: len(images) // size * size], size) if needed else ():
            network(as_float(images[places.to(images.device)].to(network.mean.device)))


@contextmanager
def new_statistics(network: Network) -> Iterator[bool]:
    """``network`` with running statistics that become the plain mean over the batches it is shown in here.

    Gives whether it has any. It trains in here; afterwards its mode is as it was.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]
    training, momenta = network.training, [layer.momentum for layer in layers]
    network.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch's word for the plain mean over all batches
    try:
        yield bool(layers)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        network.train(training)
