"""The mean over a batch of the maximum softmax probability: the baseline of detectors that see batches.

The probability is that of Hendrycks and Gimpel (2017), arXiv 1610.02136; the mean over batches that are
normal or anomalous as a whole is the baseline of Ayle et al. (2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.architectures.base import Network
from workloads.detectors._softmax import doubt
from workloads.network_detectors._batched import Batched
from workloads.network_detectors.base import Say, Scorer, Seen


@dataclass(frozen=True)
class BatchMsp(Batched):
    """Distrusts batches whose images are, on average, not likely to be of their likeliest known class.

    The score is the mean of 1 - p, exact where p rounds to 1. The softmax is over all outputs.
    """

    def fit(self, network: Network, train: Seen, say: Say) -> Scorer:
        @torch.no_grad()
        def score(images: Tensor) -> Tensor:
            odds = doubt(network(images), network.classes)
            return odds.sigmoid().view(-1, self.batch_size).mean(1)

        return score
