"""How many weights of each layer stay where the weights of all layers compete."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from workloads.masks import keep_largest
from workloads.sparsity._rounding import exact_counts, total_kept


def winners(scores: Mapping[str, Tensor], sparsity: float) -> dict[str, int]:
    """How many of each layer are among the largest ``scores`` of all; the largest of each layer always is."""
    sizes = {name: score.numel() for name, score in scores.items()}
    competing = torch.cat([_with_one_certain(score) for score in scores.values()])
    mask = keep_largest(competing, total_kept(sizes, sparsity))
    chosen = torch.split(mask, list(sizes.values()))
    counts = torch.stack([part.sum() for part in chosen]).tolist()
    found = dict(zip(sizes, counts, strict=True))
    return exact_counts(found, sizes, total_kept(sizes, sparsity))


def _with_one_certain(score: Tensor) -> Tensor:
    """The flat ``score`` with its maximum raised to infinity, so that no layer is emptied."""
    raised = score.flatten().clone()
    raised[raised.argmax()] = torch.inf
    return raised
