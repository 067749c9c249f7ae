"""Detectors that score several images together: all of them normal, or all anomalous."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from workloads.network_detectors.base import NetworkDetector


@dataclass(frozen=True)
class Batched(NetworkDetector):
    """Gives one score to a batch of images of which either none or all come from elsewhere."""

    batch_size: int = 10
    """Images of a batch; Ayle et al. take 1 to 100."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")

    @property
    @final
    def images_per_score(self) -> int:
        return self.batch_size
