"""The expected calibration error.

Guo, Pleiss, Sun and Weinberger (2017): "On Calibration of Modern Neural Networks", arXiv 1706.04599.
"""

from __future__ import annotations

from torch import Tensor

from workloads.metrics._bins import answers, equally_wide, gap


def ece(log_probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """The mean gap in [0, 1] between confidence and accuracy, over equally wide ``bins`` weighted by images.

    Confidence is the largest of the K probabilities. Bins are [low, high), the last one is closed: a
    confidence of exactly 1 counts.

    Raises:
        ValueError: there are no images or bins, a belief is NaN, or a label is none of the K classes.
    """
    confidence, right = answers(log_probabilities, labels)
    return gap(confidence, right, equally_wide(confidence, bins), bins)
