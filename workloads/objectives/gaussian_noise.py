"""Training for randomized smoothing.

Cohen, Rosenfeld and Kolter (2019): "Certified Adversarial Robustness via Randomized Smoothing",
arXiv 1902.02918, section 3.3 and appendix F.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from workloads.architectures.base import Network
from workloads.attacks._units import in_pixel_range
from workloads.objectives.base import Batch, Objective
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.randomness import derive, normal


@dataclass(frozen=True)
class GaussianNoise(Objective):
    """Minimises the cross entropy of images under fresh Gaussian noise, which may leave the pixel range.

    The stage `certify` shows the network such images: ``sigma`` is best the same in both.
    """

    sigma: float = 0.25
    """Deviation of the noise, in units of the pixel range [0, 1]."""
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not self.sigma >= 0:
            raise ValueError(f"sigma must not be negative, got {self.sigma}")
        in_pixel_range("sigma", self.sigma)
        _ = self._training  # refuses what is wrong with the rest

    @property
    def soft(self) -> bool:
        return True

    @property
    def _training(self) -> CrossEntropy:
        return CrossEntropy(self.label_smoothing)

    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        noise = normal(derive(batch.seed, "gaussian noise"), batch.samples, tuple(batch.images.shape[1:]))
        noisy = replace(batch, images=batch.images + self.sigma * noise)
        return self._training.loss(network, noisy, memory)
