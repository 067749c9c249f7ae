"""A small network that has learned the digits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from workloads.architectures.base import Network
from workloads.architectures.mlp import Mlp
from workloads.datasets.digits import Digits


@pytest.fixture(scope="session")
def trained() -> Network:
    train = Digits().load("train", None)
    images = train.images / 255
    network = Mlp(hidden=(32,), unknown_outputs=1).network((1, 8, 8), 10, 0)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(100):
        optimizer.zero_grad()
        functional.cross_entropy(network(images), train.labels).backward()
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return network.eval()


@pytest.fixture(scope="session")
def tested() -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and positions of 100 test images."""
    test = Digits().load("test", None)
    return test.images[:100] / 255, test.labels[:100], torch.arange(100)
