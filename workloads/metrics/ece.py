"""The expected calibration error.

Guo, Pleiss, Sun and Weinberger (2017): "On Calibration of Modern Neural Networks", arXiv 1706.04599.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workloads.metrics._checks import check_answers


def ece(log_probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """The mean gap in [0, 1] between confidence and accuracy, over equally wide ``bins`` weighted by images.

    Confidence is the largest of the K probabilities. Bins are [low, high), the last one is closed: a
    confidence of exactly 1 counts.

    Raises:
        ValueError: there are no images or bins, a belief is NaN, or a label is none of the K classes.
    """
    check_answers(log_probabilities, labels)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    largest, answers = log_probabilities.double().max(1)
    confidence = largest.exp()
    places = (confidence * bins).long().clamp(max=bins - 1)
    surplus = confidence - (answers == labels).double()
    gaps = torch.zeros(bins, dtype=torch.float64, device=surplus.device).index_add_(0, places, surplus)
    return float(gaps.abs().sum() / len(labels))
