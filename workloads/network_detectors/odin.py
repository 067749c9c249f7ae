"""Out-of-distribution detector for neural networks (ODIN).

Liang, Li and Srikant (2018): "Enhancing the Reliability of Out-of-distribution Image Detection in Neural
Networks", arXiv 1706.02690.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.detectors._softmax import doubt
from workloads.network_detectors.base import NetworkDetector, Say, Scorer, Seen


@dataclass(frozen=True)
class Odin(NetworkDetector):
    """Distrusts images that stay unlikely when they move towards the known class they are taken for.

    The softmax, at a temperature, is over all outputs, the maximum over the K known ones. The score is
    log((1 - p) / p) after one step against the sign of the gradient, which may leave the box of pixels as in
    the paper. The paper tunes both numbers on images from elsewhere; here they are its usual ones.
    """

    temperature: float = 1000.0
    epsilon: float = 0.0014
    """The step in units of the pixel range [0, 1], whatever the network normalises by."""

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        if not self.epsilon >= 0:
            raise ValueError(f"epsilon must not be negative, got {self.epsilon}")

    def fit(self, network: Network, train: Seen, say: Say) -> Scorer:
        def score(images: Tensor) -> Tensor:
            moved = images - self.epsilon * self._slope(network, images).sign()
            with torch.no_grad():
                return doubt(network(moved) / self.temperature, network.classes)

        return score

    def _slope(self, network: Network, images: Tensor) -> Tensor:
        """The gradient (N, C, H, W) of the loss of what each image is taken for."""
        with torch.enable_grad():
            asked = images.detach().clone().requires_grad_()
            logits = network(asked) / self.temperature
            taken = logits[:, : network.classes].argmax(1)
            loss = cross_entropy(logits, taken, reduction="sum")
        (slope,) = torch.autograd.grad(loss, asked)
        return slope
