"""A Weibull distribution that is fitted to a tail of distances, as the authors of OpenMax do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: The least distance of a tail is moved up to here before the fit, as the authors' libMR does.
MOVED_TO = 10_000.0


@dataclass(frozen=True)
class Weibull:
    """A Weibull distribution of numbers that were moved up by ``offset``."""

    shape: float
    scale: float
    offset: float

    def share_below(self, distances: Tensor) -> Tensor:
        """The share in [0, 1] of the distribution below each of ``distances``."""
        if math.isinf(self.shape):
            return (distances + self.offset > self.scale).double()
        return -torch.expm1(-(((distances + self.offset) / self.scale) ** self.shape))


def likeliest(distances: NDArray[np.float64]) -> Weibull:
    """The distribution under which ``distances`` are likeliest; where these are all equal, a step there."""
    from scipy.optimize import brentq

    offset = MOVED_TO - float(distances.min())
    moved = distances + offset
    largest = float(moved.max())
    logs = np.log(moved / largest)  # powers of these do not overflow
    if logs.min() == 0:
        return Weibull(math.inf, largest, offset)

    def slope(shape: float) -> float:
        powers = np.exp(shape * logs)
        return float((powers * logs).sum() / powers.sum() - 1 / shape - logs.mean())

    highest = 1.0
    while slope(highest) < 0:
        highest *= 2
    shape = float(brentq(slope, 1e-6, highest))
    return Weibull(shape, largest * float(np.exp(shape * logs).mean()) ** (1 / shape), offset)
