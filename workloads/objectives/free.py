"""Free adversarial training.

Shafahi, Najibi, Ghiasi, Xu, Dickerson, Studer, Davis, Taylor and Goldstein (2019): "Adversarial Training for
Free!", arXiv 1904.12843.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.attacks._units import in_pixel_range
from workloads.objectives.base import Batch, Objective
from workloads.objectives.cross_entropy import CrossEntropy

#: What the memory holds: the perturbation (N, C, H, W) that the next step begins with.
CARRIED = "perturbation"


@dataclass(frozen=True)
class Free(Objective):
    """Minimises the cross entropy of perturbed images; the same backward pass moves weights and perturbation.

    Each batch is trained on ``replays`` times in a row, and the perturbation is carried from step to step, to
    the next batch too, and over an interruption. The epochs of a `train` count replays: it takes as many
    steps as with any objective, and ``replays`` epochs show each image in ``replays`` steps in a row, so the
    number of epochs must be a multiple of it. The perturbation climbs what the weights descend: the loss over
    all outputs, unknown ones too, of the network in training mode.
    """

    replays: int = 8
    """Steps in a row on the same batch: m of the paper, 8 on CIFAR-10 and 4 on ImageNet."""
    epsilon: float = 8 / 255
    step: float | None = None
    """Length of the perturbation's steps; none given: ``epsilon``."""
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.replays < 1:
            raise ValueError(f"replays must be at least 1, got {self.replays}")
        if not self.epsilon >= 0:
            raise ValueError(f"epsilon must not be negative, got {self.epsilon}")
        in_pixel_range("epsilon", self.epsilon)
        if self.step is not None and not self.step > 0:
            raise ValueError(f"step must be above 0, got {self.step}")
        _ = self._training  # refuses what is wrong with the rest

    @property
    def _training(self) -> CrossEntropy:
        return CrossEntropy(self.label_smoothing)

    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        carried = memory.get(CARRIED)
        if carried is None:
            carried = torch.zeros_like(batch.images)

        def move(gradient: Tensor) -> None:
            memory[CARRIED] = self._moved(carried, gradient)

        change = carried.clone().requires_grad_()
        change.register_hook(move)  # type: ignore[no-untyped-call]
        seen = replace(batch, images=(batch.images + change).clamp(0, 1))
        return self._training.loss(network, seen, memory)

    @torch.no_grad()
    def _moved(self, change: Tensor, gradient: Tensor) -> Tensor:
        """The perturbation after a step up, inside the ball."""
        step = self.epsilon if self.step is None else self.step
        return (change + step * gradient.sign()).clamp(-self.epsilon, self.epsilon)
