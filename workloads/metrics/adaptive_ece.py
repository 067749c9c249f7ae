"""The expected calibration error over bins that hold equally many images.

Nguyen and O'Connor (2015): "Posterior calibration and exploratory analysis for natural language processing
models", arXiv 1508.05154; Nixon et al. (2019): "Measuring Calibration in Deep Learning", arXiv 1904.01685.
"""

from __future__ import annotations

from torch import Tensor

from workloads.metrics._bins import answers, equally_full, gap


def adaptive_ece(log_probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """The mean gap in [0, 1] between confidence and accuracy, over ``bins`` of equally many images.

    Where most confidences are almost 1, equally wide bins see them as one; these tell them apart. Images of
    equal confidence share a bin.

    Raises:
        ValueError: there are no images or bins, a belief is NaN, or a label is none of the K classes.
    """
    confidence, right = answers(log_probabilities, labels)
    return gap(confidence, right, equally_full(confidence, bins), bins)
