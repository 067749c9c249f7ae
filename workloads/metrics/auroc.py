"""The area under the receiver operating characteristic."""

from __future__ import annotations

from torch import Tensor

from workloads.metrics._checks import ranked


def auroc(inside: Tensor, outside: Tensor) -> float:
    """The chance that an image from ``outside`` (M,) scores as more anomalous than one from ``inside`` (N,).

    Scores are higher for more anomalous images. Equal ones count half; 0.5 is a guess. It does not matter
    which side is called positive.

    Raises:
        ValueError: a score is NaN, or one side is empty.
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*ranked(inside, outside)))
