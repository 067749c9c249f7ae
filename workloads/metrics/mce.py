"""The mean corruption error.

Hendrycks and Dietterich (2019): "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", arXiv 1903.12261.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean


def mce(errors: Mapping[str, float], reference: Mapping[str, float]) -> float:
    """The mean over corruptions of the error of a network by that of the ``reference``; lower is better.

    Each error is the mean (or the sum, for both) over severities. 1 is as good as the reference. Published
    tables have it times 100, with AlexNet as the reference for ImageNet-C.

    Raises:
        ValueError: there are no corruptions, they differ, or the reference makes no error at one of them.
    """
    if not errors or errors.keys() != reference.keys():
        raise ValueError(f"both need errors at the same corruptions, got {[*errors]} and {[*reference]}")
    flawless = [name for name, error in reference.items() if error <= 0]
    if flawless:
        raise ValueError(f"the reference must make errors at every corruption, got none at {flawless}")
    return fmean(error / reference[name] for name, error in errors.items())
