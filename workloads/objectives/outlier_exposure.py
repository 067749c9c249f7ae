"""Outlier exposure.

Hendrycks, Mazeika and Dietterich (2019): "Deep Anomaly Detection with Outlier Exposure", arXiv 1812.04606.
With masks that are learned (`sparsify: hydra`) it is HYDRA-OOD of Ayle et al. (2022), arXiv 2207.04227.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.datasets._conversion import as_float
from workloads.datasets._viewed import viewed
from workloads.datasets.base import Dataset
from workloads.objectives.base import Batch, Objective, Outliers
from workloads.randomness import stream

#: Below this a fraction of epochs counts as none: 0.07 * 100 is 7.000000000000001.
TINY = 1e-9


@dataclass(frozen=True)
class OutlierExposure(Objective):
    """Minimises the cross entropy, and on as many images from elsewhere that with the uniform distribution.

    The images from elsewhere go through the network with those of the batch, so batch norm sees them
    together. They must be of none of the sets that a detector is measured on.
    """

    dataset: Dataset
    """The images from elsewhere."""
    split: Literal["train", "validation"] = "train"
    """Sets without labels, such as noise, have no train split; validation shares no image with test."""
    weight: float = 0.5
    begin: float = 0.1
    """The fraction of the training before which there are no images from elsewhere."""

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            raise ValueError(f"weight must not be negative, got {self.weight}")
        if not 0 <= self.begin <= 1:
            raise ValueError(f"begin is a fraction of the training in [0, 1], got {self.begin}")

    @property
    def outliers(self) -> Outliers:
        return self.dataset, self.split

    def loss(self, network: Network, batch: Batch, memory: dict[str, Tensor]) -> Tensor:
        if batch.epoch < self.begin * batch.epochs - TINY:
            return cross_entropy(network(batch.images), batch.labels)
        count = len(batch.images)
        logits = network(torch.cat([batch.images, self._drawn(network, batch)]))
        away: Tensor = -logits[count:].log_softmax(1).mean()  # over all outputs, of which each is as likely
        loss: Tensor = cross_entropy(logits[:count], batch.labels)
        return loss + self.weight * away

    def _drawn(self, network: Network, batch: Batch) -> Tensor:
        """As many images from elsewhere as the batch has of its own, drawn for this step."""
        images = viewed(self.dataset, self.split, network.shape)[0].images
        places = torch.randint(len(images), (len(batch.images),), generator=stream(batch.seed, "outliers"))
        return as_float(images[places].to(batch.images.device))
