"""Networks on the line between two, and which of them to take.

Zhu et al. (2023): "Improving Generalization of Adversarial Training via Robust Critical Fine-Tuning" (RiFT),
arXiv 2308.02533.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from workloads.architectures.base import Network

#: Accuracies are shares of the same images: what differs by less than this is a matter of rounding.
TINY = 1e-9


def between(start: Network, end: Network, share: float) -> Network:
    """A network of its own at start + share * (end - start), and exactly either at the shares 0 and 1.

    Batch-norm statistics are interpolated too; whole numbers are those of the start.
    """
    found, other = copy.deepcopy(start), end.state_dict()
    with torch.no_grad():
        for name, value in found.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.lerp(value, other[name], share))
    return found


def best_within(natural: Sequence[float], robust: Sequence[float], drop: float) -> int:
    """The place with the best ``natural`` accuracy of those whose ``robust`` accuracy is good enough.

    That is at most ``drop`` below the first one's. Of equal ones the more robust, then the earlier.
    """
    allowed = [place for place, value in enumerate(robust) if value >= robust[0] - drop - TINY]
    return max(allowed, key=lambda place: (natural[place], robust[place], -place))
