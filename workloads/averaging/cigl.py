"""CigL, calibrating the rigged lottery.

Lei, Zhang, Zhang and Mallick (2023): "Calibrating the Rigged Lottery: Making All Tickets Reliable", arXiv
2302.09369. A random mask Z over the weights in every step, w <- w - lr Z * grad L(Z * w), and late in the
training the mean of Z * w once an epoch. (The paper begins after 200 of 250 epochs and leaves out 10 %; its
repository leaves out 1 % on CIFAR-10 and scales what is kept up.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from workloads.averaging._left_out import left_out
from workloads.averaging._window import Window
from workloads.masks import Masks


@dataclass(frozen=True)
class Cigl(Window):
    """Leaves out random weights in every step and keeps the mean of what is left at the end of each epoch."""

    masked: ClassVar[bool] = True

    begin: float = 0.8
    drop: float = 0.1
    """Share of the weights that a step leaves out."""
    rescale: bool = False
    """Scale what is kept by 1 / (1 - drop): the authors' repository does, the paper's formula does not."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.drop < 1:
            raise ValueError(f"drop must be in [0, 1), got {self.drop}")

    @final
    def due(self, step: int, steps: int, per_epoch: int) -> bool:
        return self.ends_epoch(step, steps, per_epoch)

    @final
    def factors(self, weights: Mapping[str, Tensor], masks: Masks, seed: int) -> dict[str, Tensor]:
        return left_out(weights, masks, self.drop, self.rescale, seed)
