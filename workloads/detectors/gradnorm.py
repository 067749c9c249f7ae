"""The size of a gradient (GradNorm).

Huang, Geng and Li (2021): "On the Importance of Gradients for Detecting Distributional Shifts in the Wild",
arXiv 2110.00218.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Gradnorm(Detector):
    """Distrusts images that hardly pull at the last layer: minus the L1 norm of its weights' gradient.

    The loss is the divergence of the softmax from the uniform distribution, over the K known classes. Of the
    last layer, which the paper chooses, the gradient is known from the outputs: the product of every feature
    with every class's probability less 1 / K, over the temperature.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")

    def fit(self, train: Outputs) -> Scorer:
        def score(outputs: Outputs) -> Tensor:
            pull = (outputs.known / self.temperature).softmax(1) - 1 / outputs.classes
            return -outputs.features.double().abs().sum(1) * pull.abs().sum(1) / self.temperature

        return score
