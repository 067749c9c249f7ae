"""Pruning to a sparsity in as many rounds as the criterion asks for."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.datasets.base import LearningData
from workloads.masks import Masks, apply_masks, density
from workloads.pruning._amounts import left_of, to_sparsity
from workloads.pruning.base import Criterion
from workloads.randomness import derive, stream
from workloads.sparsity.base import Allocation


def in_rounds(
    criterion: Criterion,
    allocation: Allocation,
    network: Network,
    masks: Mapping[str, Tensor],
    data: LearningData,
    *,
    sparsity: float,
    seed: int,
) -> Masks:
    """Masks of ``sparsity`` for ``network``, which has ``masks`` and is left as it was.

    Rounds that a network with masks has behind it already are left out.

    Raises:
        ValueError: the network is sparser already.
    """
    found, own = dict(masks), 1 - density(masks, network)
    *before, last = criterion.rounds(sparsity)
    copied = copy.deepcopy(network) if before else network
    for number, level in enumerate([*(level for level in before if level > own), last]):
        if number:
            apply_masks(copied, found)
        scores = criterion.scores(copied, data, derive(seed, "round", number) if number else seed)
        found = to_sparsity(left_of(scores, found), allocation, level)
    return found


def shuffled(masks: Mapping[str, Tensor], seed: int) -> Masks:
    """``masks`` with as many weights in each layer, at random places.

    Frankle, Dziugaite, Roy and Carbin (2021, arXiv 2009.08576) ask so whether more than the counts matters.
    """
    return {
        name: mask.flatten()[
            torch.randperm(mask.numel(), generator=stream(seed, "shuffle", name)).to(mask.device)
        ].view(mask.shape)
        for name, mask in masks.items()
    }
