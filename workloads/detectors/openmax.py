"""OpenMax: a softmax with one more class, for what is far from every class's mean logits.

Bendale and Boult (2016): "Towards Open Set Deep Networks", arXiv 1511.06233.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.detectors._weibull import Weibull, likeliest
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Openmax(Detector):
    """Distrusts images by the log odds of the class unknown, which gets what far classes lose of logits.

    A class loses the more, the farther the K known logits lie from their mean over the training images that
    are rightly taken for it, by a Weibull distribution of the largest such distances. A class with fewer than
    two of these loses everything.
    """

    tail: int = 20
    """How many of the largest distances of a class are fitted."""
    revised: int = 10
    """How many of the likeliest classes may lose something, the likeliest most; all where there are fewer."""

    def __post_init__(self) -> None:
        for name, count, least in (("tail", self.tail, 2), ("revised", self.revised, 1)):
            if count < least:
                raise ValueError(f"{name} must be at least {least}, got {count}")

    def fit(self, train: Outputs) -> Scorer:
        logits = train.known
        right = logits.argmax(1) == train.labels
        means = torch.zeros(train.classes, train.classes, dtype=torch.float64, device=logits.device)
        tails: dict[int, Weibull] = {}
        for label in range(train.classes):
            own = logits[right & (train.labels == label)]
            if len(own) < 2:  # noqa: PLR2004 - a spread takes two
                continue
            means[label] = own.mean(0)
            distances: Tensor = torch.linalg.vector_norm(own - means[label], dim=1)
            tails[label] = likeliest(distances.sort().values[-self.tail :].cpu().numpy())
        if not tails:
            raise ValueError("openmax needs a class that at least 2 training images are rightly taken for")
        ranked = min(self.revised, train.classes)
        weights = torch.arange(ranked, 0, -1, dtype=torch.float64, device=logits.device) / ranked

        def score(outputs: Outputs) -> Tensor:
            found = outputs.known
            distances = torch.cdist(found, means, compute_mode="donot_use_mm_for_euclid_dist")
            far = torch.ones_like(found)
            for label, tail in tails.items():
                far[:, label] = tail.share_below(distances[:, label])
            places = found.sort(dim=1, descending=True, stable=True).indices[:, :ranked]
            lost = torch.zeros_like(found).scatter(1, places, weights.expand(len(found), -1)) * far
            return (found * lost).sum(1) - (found * (1 - lost)).logsumexp(1)

        return score
