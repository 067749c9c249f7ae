"""Flying Bird (Chen et al., 2022, "Sparsity Winning Twice", arXiv 2202.09844)."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.sparse_training._flying import Flying


@dataclass(frozen=True)
class FlyingBird(Flying):
    """Keeps the number of connections of each layer; meant for adversarial training."""
