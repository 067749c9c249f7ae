"""Images without content, made at the shape that the network takes.

Uniform and Gaussian noise as in Liang, Li and Srikant (2018): "Enhancing the Reliability of
Out-of-distribution Image Detection in Neural Networks", arXiv 1706.02690. Only for out-of-distribution
tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from workloads.datasets.base import Dataset, Shape, Split, SplitName
from workloads.randomness import derive, normal, uniform


@dataclass(frozen=True)
class Noise(Dataset):
    """Draws every pixel alone: uniform over the range, or normal (mean 0.5, deviation 1) cut off at its ends.

    Validation and test are different images.
    """

    kind: Literal["uniform", "gaussian"] = "uniform"
    count: int = 400
    """Images in each of the two splits, validation and test."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")

    @property
    def classes(self) -> int:
        return 0

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        if split == "train":
            raise ValueError("noise is for out-of-distribution tests: validation or test, not train")
        if shape is None:
            raise ValueError("noise has no shape of its own: it needs the shape that the network takes")
        seed, samples = derive(self.seed, "noise", split), torch.arange(self.count)
        if self.kind == "uniform":
            images = uniform(seed, samples, shape).mul(256).floor()
        else:
            images = normal(seed, samples, shape).add(0.5).clamp(0, 1).mul(255).round()
        return Split(images.to(torch.uint8), torch.zeros(self.count, dtype=torch.int64))
