"""Images in bins of confidence: what every expected calibration error is a mean over."""

from __future__ import annotations

import torch
from torch import Tensor

from workloads.metrics._checks import check_answers


def answers(log_probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The largest of the K probabilities (N,), and whether (N,) its class is the label.

    Raises:
        ValueError: there are no images, a belief is NaN, or a label is none of the K classes.
    """
    check_answers(log_probabilities, labels)
    largest, likeliest = log_probabilities.double().max(1)
    return largest.exp(), likeliest == labels


def equally_wide(confidence: Tensor, bins: int) -> Tensor:
    """The bin (N,) of each confidence: [low, high), but the last one is closed, so that exactly 1 counts.

    Raises:
        ValueError: there are no bins.
    """
    _check(bins)
    return (confidence * bins).long().clamp(max=bins - 1)


def equally_full(confidence: Tensor, bins: int) -> Tensor:
    """The bin (N,) of each confidence, where bins hold equally many images or one more.

    Equal confidences share a bin, that of the first of them: the order of images does not matter.

    Raises:
        ValueError: there are no bins.
    """
    _check(bins)
    _, group, sizes = torch.unique(confidence, return_inverse=True, return_counts=True)
    first: Tensor = sizes.cumsum(0) - sizes
    return (first * bins // len(confidence))[group]


def gap(confidence: Tensor, right: Tensor, places: Tensor, bins: int) -> float:
    """The mean gap in [0, 1] between confidence and the share of ``right``, over bins weighted by images."""
    surplus = confidence - right.double()
    gaps = torch.zeros(bins, dtype=torch.float64, device=surplus.device).index_add_(0, places, surplus)
    return float(gaps.abs().sum() / len(surplus))


def _check(bins: int) -> None:
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
