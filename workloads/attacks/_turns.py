"""Several searches, one after another, each only for the images that still stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from workloads.attacks._ascent import judged
from workloads.attacks.base import Attack, Model

#: From images (N, C, H, W), labels (N,) and positions (N,) to changed images.
Search = Callable[[Tensor, Tensor, Tensor], Tensor]


def by(attack: Attack, model: Model, seed: int) -> Search:
    """The search that ``attack`` does on ``model``."""
    return lambda images, labels, samples: attack(model, images, labels, samples, seed)


def in_turn(
    searches: Sequence[Search], model: Model, images: Tensor, labels: Tensor, samples: Tensor
) -> Tensor:
    """The worst images that ``searches`` find: one that fools ``model``, else that of the largest loss.

    An image that fools the model is not searched again.
    """
    worst = searches[0](images, labels, samples)
    if len(searches) == 1:
        return worst
    worst_odds, fooled = judged(model, worst, labels)
    # In training mode batch norm ties the images together, so none may be left out.
    together = getattr(model, "training", False)
    for search in searches[1:]:
        left = torch.arange(len(images), device=images.device) if together else (~fooled).nonzero()[:, 0]
        if len(left) == 0:
            break
        found = search(images[left], labels[left], samples[left])
        found_odds, found_fooled = judged(model, found, labels[left])
        better = (found_fooled & ~fooled[left]) | (
            (found_fooled == fooled[left]) & (found_odds > worst_odds[left])
        )
        worst = worst.index_copy(0, left[better], found[better])
        worst_odds[left[better]], fooled[left[better]] = found_odds[better], found_fooled[better]
    return worst
