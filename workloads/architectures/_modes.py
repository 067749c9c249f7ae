"""A network in evaluation mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workloads.architectures.base import Network


@contextmanager
def evaluated(network: Network) -> Iterator[None]:
    """``network`` in evaluation mode, which leaves batch norm alone; afterwards in the mode it had."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)
