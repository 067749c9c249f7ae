"""Images that a detector is to find, as stages load them: from elsewhere, altered, or attacked."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from orchestrator.stage import Workspace
from workloads.architectures.base import Network
from workloads.attacks.base import Attack
from workloads.datasets.base import Dataset, Split, SplitName
from workloads.stages._data import label, view
from workloads.training.evaluation import fixed_attack


def check_attackable(dataset: Dataset, attack: Attack | None) -> None:
    """Refuse images that ``attack``, if there is one, cannot be asked to change.

    Raises:
        ValueError: they have no labels, or leave the box of pixels.
    """
    if attack is None:
        return
    if dataset.classes == 0:
        raise ValueError(f"an attack needs images with labels, and {label(dataset)} has none")
    if not dataset.boxed:
        raise ValueError(f"an attack needs pixels in [0, 1], and those of {label(dataset)} are not")


def loaded(
    dataset: Dataset,
    split: SplitName,
    network: Network,
    space: Workspace,
    *,
    attack: Attack | None = None,
    seed: int = 0,
    places: Callable[[int], Tensor] | None = None,
) -> Split:
    """The images of ``dataset``, all or at ``places`` of their number, as ``network`` sees them or attacked.

    Raises:
        ValueError: they are to be attacked, but have labels of other classes than the network's.
    """
    seen = view(dataset, split, network.shape, space)
    if attack is None and places is None:
        return seen
    chosen = places(len(seen)) if places else torch.arange(len(seen))
    if attack is None:
        return Split(seen.images[chosen], seen.labels[chosen])
    check_attackable(dataset, attack)
    if dataset.classes != network.classes:
        raise ValueError(
            f"an attack needs labels of the network's {network.classes} classes, but {label(dataset)} has "
            f"{dataset.classes}"
        )
    return Split(fixed_attack(network, attack, seen, chosen, seed).images.cpu(), seen.labels[chosen])
