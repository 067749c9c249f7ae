"""Random numbers of one corruption: each from the seed, the image and its place in it alone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.randomness import derive, normal, uniform


@dataclass(frozen=True)
class Draws:
    """Draws for the images at the positions ``samples`` (N,) of their split."""

    seed: int
    samples: Tensor

    def uniform(self, purpose: str, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Numbers (N, *shape) in [low, high)."""
        return uniform(derive(self.seed, purpose), self.samples, shape) * (high - low) + low

    def normal(self, purpose: str, *shape: int) -> Tensor:
        """Standard normal numbers (N, *shape)."""
        return normal(derive(self.seed, purpose), self.samples, shape)
