"""Fast adversarial training.

Wong, Rice and Kolter (2020): "Fast is better than free: Revisiting adversarial training", arXiv 2001.03994.
Such trainings may lose all robustness within an epoch (catastrophic overfitting): a `train` with ``best``
keeps the network from before. The attacked network is in evaluation mode, as for every objective here; the
authors leave it in training mode.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.architectures.base import Network
from workloads.attacks.pgd import Pgd
from workloads.objectives.adversarial import Adversarial
from workloads.objectives.base import Batch, Objective


@dataclass(frozen=True)
class Fast(Objective):
    """Minimises the cross entropy on images moved by one large step from a uniform start, both in the ball.

    It is `adversarial` with that attack, on all outputs of the network.
    """

    epsilon: float = 8 / 255
    alpha: float = 1.25
    """Length of the step, as a multiple of ``epsilon``."""
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not self.epsilon > 0:
            raise ValueError(f"epsilon must be above 0, got {self.epsilon}")
        if not self.alpha > 0:
            raise ValueError(f"alpha must be above 0, got {self.alpha}")
        _ = self._training  # refuses what is wrong with the rest

    @property
    def _training(self) -> Adversarial:
        attack = Pgd(self.epsilon, steps=1, step=self.alpha * self.epsilon)
        return Adversarial(attack, label_smoothing=self.label_smoothing)

    def prepared(self, network: Network, batch: Batch) -> Batch:
        return self._training.prepared(network, batch)

    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        return self._training.loss(network, batch, memory)
