"""What the metrics refuse: empty, unlabelled or undefined input would give a number that means nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def check_answers(log_probabilities: Tensor, labels: Tensor) -> None:
    """Refuse what no average can be taken of.

    Raises:
        ValueError: there are no images, a belief is NaN, or a label does not name one of the K classes.
    """
    if len(labels) == 0:
        raise ValueError("a metric needs at least one image, got none")
    if log_probabilities.isnan().any():
        raise ValueError("probabilities must be numbers, got NaN")
    if len(log_probabilities) != len(labels):
        raise ValueError(f"{len(log_probabilities)} images need as many labels, got {len(labels)}")
    classes = log_probabilities.shape[1]
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ValueError(f"labels must be in [0, {classes}), got {int(labels.min())} to {int(labels.max())}")


def ranked(inside: Tensor, outside: Tensor) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each image is from outside, and the rank of its score; equal scores have equal ranks.

    Raises:
        ValueError: a score is NaN, or one side is empty.
    """
    for side, scores in (("in-distribution", inside), ("out-of-distribution", outside)):
        if len(scores) == 0:
            raise ValueError(f"detection is measured on both sides, got no {side} scores")
        if scores.isnan().any():
            raise ValueError(f"scores must be numbers, got NaN in {side} scores")
    together = np.concatenate([scores.detach().double().cpu().numpy() for scores in (inside, outside)])
    ranks: NDArray[np.int64] = np.unique(together, return_inverse=True)[1]
    return np.arange(len(together)) >= len(inside), ranks
