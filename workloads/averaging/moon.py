"""The averaging of MOON.

Lei, Xu, Zhang and Mallick (2024): "Embracing Unknown Step by Step: Towards Reliable Sparse Training in Real
World", TMLR, arXiv 2403.20047. The first weights are those at the end of the epoch that begins the window
(80 of 100). The paper's "voting" is this mean of weights, neither of predictions nor of masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from torch import Tensor

from workloads.averaging._left_out import left_out
from workloads.averaging._window import Window
from workloads.masks import Masks

#: Weights that the authors' repository leaves out of a step: its leftover of CigL.
QUIRK = 0.01
PARTS = 10


@dataclass(frozen=True)
class Moon(Window):
    """Keeps the mean of the weights over the last epochs, while the masks are fixed."""

    begin: float = 0.8
    snapshots: Literal["once_per_epoch", "ten_per_epoch", "first_tenth"] = "once_per_epoch"
    """When weights are taken in the epochs after the first: the paper speaks of a mean over epochs.

    Its repository takes them after each step of the first tenth of an epoch, where ten steps evenly over the
    epoch were probably meant.
    """
    repository_quirks: bool = False
    """Leave out 1 % of the weights in every step, as the authors' repository does and the paper does not.

    Its other slip, a topology that hardly changes, is ``decay_steps: 70`` of ``set`` and ``rigl``.
    """

    @final
    def due(self, step: int, steps: int, per_epoch: int) -> bool:
        first = self.first(steps // per_epoch) * per_epoch
        if step <= first or self.snapshots == "once_per_epoch":
            return self.ends_epoch(step, steps, per_epoch)
        place = (step - 1) % per_epoch
        if self.snapshots == "first_tenth":
            return place < max(1, per_epoch // PARTS)
        return (place + 1) * PARTS // per_epoch > place * PARTS // per_epoch

    @final
    def factors(self, weights: Mapping[str, Tensor], masks: Masks, seed: int) -> dict[str, Tensor]:
        return left_out(weights, masks, QUIRK, True, seed) if self.repository_quirks else {}
