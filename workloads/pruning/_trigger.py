"""When EarlyCroP prunes (Rachwan et al., 2022, arXiv 2206.10451): when the weights leave the start no faster.

The drift of an epoch is how far the parameters are from those after the first epoch, relative to their length
there. The first drift there is, that of the second epoch, sets the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


def drift(start: Sequence[Tensor], now: Sequence[Tensor]) -> Tensor:
    """The distance of ``now`` from ``start`` over the length of ``start``, all tensors as one vector: ()."""
    apart = torch.stack(torch._foreach_norm(torch._foreach_sub(list(now), list(start)))).norm()
    length = torch.stack(torch._foreach_norm(list(start))).norm()
    return torch.div(apart, length)


def threshold(first: float, sparsity: float) -> float:
    """The change of the drift below which the network is pruned, from the ``first`` drift."""
    return first * (1 - sparsity)


def settled(drifts: Sequence[float], sparsity: float) -> bool:
    """Whether the ``drifts`` after the second and each later epoch end with a change below the threshold.

    One drift is none: there is no change yet.
    """
    return any(abs(now - before) < threshold(drifts[0], sparsity) for before, now in pairwise(drifts))
