"""The unknown-aware loss of MOON.

Lei, Xu, Zhang and Mallick (2024): "Embracing Unknown Step by Step: Towards Reliable Sparse Training in Real
World", TMLR, arXiv 2403.20047; as in the authors' repository. The tuning of alpha is that of the deep
abstaining classifier (Thulasidasan et al., 2019, arXiv 1905.10964).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.objectives.base import Batch, Objective

#: Above this share of unknown the repository clips.
CERTAIN = 1 - 1e-7
#: Below this a fraction of epochs counts as none: 0.07 * 100 is 7.000000000000001.
TINY = 1e-9


@dataclass(frozen=True)
class UnknownAware(Objective):
    """Weighs the cross entropy of wrong answers by 1 + alpha / (1 + alpha p), where p is the unknown's share.

    Right answers keep the weight 1; all are plain in the warm-up. Several unknown outputs count as one, with
    the sum of their probabilities.
    """

    alpha: float | Literal["auto"] = "auto"
    """A number, or a line over the epochs after the warm-up: from the running mean of (1 - p) loss over
    ``divisor`` up to ``final``."""
    final: float = 1.0
    divisor: float = 64.0
    smoothing: float = 0.05
    """The share of each step in the running mean."""
    warmup: float = 0.05
    """Fraction of the training, in whole epochs, rounded up: 5 of 100 in the paper."""

    def __post_init__(self) -> None:
        if self.alpha != "auto" and not self.alpha >= 0:
            raise ValueError(f"alpha must be auto or not negative, got {self.alpha}")
        if not self.final >= 0:
            raise ValueError(f"final must not be negative, got {self.final}")
        if not self.divisor > 0:
            raise ValueError(f"divisor must be positive, got {self.divisor}")
        if not 0 < self.smoothing <= 1:
            raise ValueError(f"smoothing must be in (0, 1], got {self.smoothing}")
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"warmup is a fraction of the training in [0, 1], got {self.warmup}")

    @property
    def unknown(self) -> bool:
        return True

    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        """As promised by the base.

        Raises:
            ValueError: the network has no unknown output.
        """
        logits = network(batch.images)
        if logits.shape[1] == network.classes:
            raise ValueError("unknown_aware needs a network with at least 1 unknown output, got 0")
        losses = cross_entropy(logits, batch.labels, reduction="none")
        if not network.training:
            return losses.mean()
        unknown = logits.float().softmax(1)[:, network.classes :].sum(1).clamp(max=CERTAIN)
        self._remember(losses.detach(), unknown.detach(), memory)
        epoch, warm = batch.epoch + 1, math.ceil(self.warmup * batch.epochs - TINY)
        if epoch <= warm:
            return losses.mean()
        alpha = self._alpha(epoch, warm + 1, batch.epochs, memory)
        right = logits.argmax(1) == batch.labels
        weights = torch.where(right, 1.0, 1 + alpha / (1 + alpha * unknown))
        return (losses * weights).mean()

    def _remember(self, losses: Tensor, unknown: Tensor, memory: dict[str, Tensor]) -> None:
        """Go on with the running mean of (1 - p) loss."""
        now = ((1 - unknown) * losses).mean()
        before = memory.get("mean", now)
        memory["mean"] = self.smoothing * now + (1 - self.smoothing) * before

    def _alpha(self, epoch: int, first: int, last: int, memory: dict[str, Tensor]) -> float | Tensor:
        """Alpha in ``epoch``: on the line from ``first`` to ``last``; a line of one epoch is its end."""
        if self.alpha != "auto":
            return self.alpha
        start = memory.setdefault("alpha", memory["mean"] / self.divisor)
        done = (epoch - first) / (last - first) if last > first else 1.0
        return start + done * (self.final - start)
