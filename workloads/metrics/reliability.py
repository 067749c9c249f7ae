"""The reliability diagram as numbers.

Niculescu-Mizil and Caruana (2005): "Predicting Good Probabilities with Supervised Learning", ICML; for
networks Guo et al. (2017), arXiv 1706.04599.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from workloads.metrics._bins import answers, equally_wide


@dataclass(frozen=True)
class Bin:
    """The images whose confidence is in [``low``, ``high``); in the last bin also those at ``high``."""

    low: float
    high: float
    images: int
    confidence: float | None
    """Their mean confidence; None where there are no images."""
    accuracy: float | None
    """The share of right answers among them; None where there are no images."""


def reliability(log_probabilities: Tensor, labels: Tensor, bins: int = 15) -> list[Bin]:
    """The equally wide bins of confidence that `ece` is a mean over, from low to high.

    Raises:
        ValueError: there are no images or bins, a belief is NaN, or a label is none of the K classes.
    """
    confidence, right = answers(log_probabilities, labels)
    places = equally_wide(confidence, bins)
    return [_bin(at, bins, confidence[places == at], right[places == at]) for at in range(bins)]


def _bin(at: int, bins: int, confidence: Tensor, right: Tensor) -> Bin:
    """The bin number ``at``, with what is in it."""
    low, high, images = at / bins, (at + 1) / bins, len(right)
    if images == 0:
        return Bin(low, high, 0, None, None)
    return Bin(low, high, images, float(confidence.mean()), float(right.double().mean()))
