"""Batch-norm statistics of a network whose weights were changed by other means than training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workloads.architectures.base import Network
from workloads.training.batches import as_float
from workloads.training.evaluation import BATCH


@torch.no_grad()
def recompute_statistics(network: Network, images: Tensor) -> None:
    """Set the running statistics to the mean over batches of ``images`` (N, C, H, W) of uint8, in order.

    The network's mode is left as it was. What is left over below a whole batch is left out.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    if not layers:
        return
    training, momenta = network.training, [layer.momentum for layer in layers]
    network.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch's word for the plain mean over all batches
    try:
        size = min(BATCH, len(images))
        for part in torch.split(images[: len(images) // size * size], size):
            network(as_float(part.to(network.mean.device)))
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        network.train(training)
