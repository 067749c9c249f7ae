"""The expected calibration error of every class's probability, not only of the largest.

Kull et al. (2019): "Beyond temperature scaling: Obtaining well-calibrated multiclass probabilities with
Dirichlet calibration", arXiv 1910.12656.
"""

from __future__ import annotations

from statistics import fmean

from torch import Tensor

from workloads.metrics._bins import equally_wide, gap
from workloads.metrics._checks import check_answers


def classwise_ece(log_probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """The mean over the K classes of the gap in [0, 1] between its probability and how often it is the label.

    The gap of a class is a mean over equally wide ``bins`` of its probability, weighted by images. Most
    probabilities are almost 0, so that values are much smaller than those of `ece`, the more so with many
    classes.

    Raises:
        ValueError: there are no images or bins, a belief is NaN, or a label is none of the K classes.
    """
    check_answers(log_probabilities, labels)
    probabilities = log_probabilities.double().exp().unbind(1)
    return fmean(
        gap(probability, labels == label, equally_wide(probability, bins), bins)
        for label, probability in enumerate(probabilities)
    )
