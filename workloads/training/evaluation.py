"""What a network says about images, without learning from them."""

from __future__ import annotations

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.training.batches import as_float

#: Images of one forward pass. Fixed: how many there are may show in the last bits of a result.
BATCH = 512


@torch.no_grad()
def forward(network: Network, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, outputs) and features (N, D) of ``images`` of uint8, on the network's device.

    Computed in evaluation mode; the network's mode is left as it was.
    """
    training = network.training
    network.eval()
    try:
        features = [
            network.features(as_float(part.to(network.mean.device))) for part in torch.split(images, BATCH)
        ]
        logits = [network.head(part) for part in features]
    finally:
        network.train(training)
    return torch.cat(logits), torch.cat(features)
