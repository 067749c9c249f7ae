"""The fast gradient sign method.

Goodfellow, Shlens and Szegedy (2015): "Explaining and Harnessing Adversarial Examples", arXiv 1412.6572.
With the norm ``l2`` it is the fast gradient method: one step along the gradient itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.attacks._ascent import ascent
from workloads.attacks.base import Attack, Model
from workloads.attacks.pgd import Pgd


@dataclass(frozen=True)
class Fgsm(Attack):
    """Takes one step of length ``epsilon`` to where the loss rises fastest."""

    def stronger(self) -> Attack | None:
        return Pgd(self.epsilon, self.norm)

    def perturb(self, model: Model, images: Tensor, labels: Tensor, samples: Tensor, seed: int) -> Tensor:
        return images + self.epsilon * ascent(model, images, labels, self.norm)
