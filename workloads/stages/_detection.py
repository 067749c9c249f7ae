"""How well scores tell anomalous images from those of the network's own data set, as metrics."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from orchestrator.stage import Workspace
from workloads.metrics.aupr import aupr
from workloads.metrics.auroc import auroc
from workloads.metrics.ccr import ccr
from workloads.metrics.fpr95 import fpr95

#: Metric -> the false positive rate at which it is the correct classification rate.
RATES = {"ccr_1e-4": 1e-4, "ccr_1e-3": 1e-3, "ccr_1e-2": 1e-2, "ccr_1e-1": 1e-1}
#: The side of which FPR95 finds 95 %.
Positive = Literal["inside", "outside"]


def measures(
    inside: Tensor, outside: Tensor, right: Tensor, positive: Positive, space: Workspace
) -> dict[str, float]:
    """Every measure of the scores of both sides; warns where all are equal.

    ``right`` (N,) says whether what is ``inside`` is classified rightly, or of a batch how much of it is.
    """
    if torch.cat([inside, outside]).eq(inside[0]).all():
        space.warnings.append("all scores are equal: the detector tells nothing apart")
    return {
        "auroc": auroc(inside, outside),
        "aupr_in": aupr(inside, outside, "inside"),
        "aupr_out": aupr(inside, outside, "outside"),
        "fpr95": fpr95(inside, outside, positive),
    } | {name: ccr(inside, outside, right, rate) for name, rate in RATES.items()}
