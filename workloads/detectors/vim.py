"""Virtual-logit matching (ViM).

Wang, Li, Feng and Zhang (2022): "ViM: Out-Of-Distribution with Virtual-logit Matching", arXiv 2203.10807.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.detectors._gaussians import NOISE, variances
from workloads.detectors._head import energy
from workloads.detectors.base import Detector, Outputs, Scorer


@dataclass(frozen=True)
class Vim(Detector):
    """Distrusts images whose features leave the principal subspace of training, and whose energy is high.

    What lies outside of the subspace becomes a virtual logit, as large on average over the training images as
    their largest logit. Features are seen from where the K known classes' logits would be zero.
    """

    dimension: int | None = None
    """Of the principal subspace. None: of the directions in which the training features vary, 1000 of at
    least 2048, 512 of at least 768, else half."""

    def __post_init__(self) -> None:
        if self.dimension is not None and self.dimension < 1:
            raise ValueError(f"dimension must be at least 1, got {self.dimension}")

    def fit(self, train: Outputs) -> Scorer:
        weight, bias = (tensor[: train.classes].double() for tensor in (train.weight, train.bias))
        origin = -torch.linalg.pinv(weight) @ bias
        centred = train.features.double() - origin
        spread, directions = variances(centred)
        vary = int((spread > NOISE * spread[-1]).sum())
        dimension = _usual(vary) if self.dimension is None else self.dimension
        if dimension >= vary:
            raise ValueError(
                f"dimension must be below {vary}, the number of directions in which the training features "
                f"vary, got {dimension}"
            )
        if not (largest := train.known.amax(1).mean()) > 0:
            raise ValueError(
                f"vim needs training images whose largest logit has a mean above 0, got {float(largest):.3g}"
            )
        outside = directions[:, : len(spread) - dimension]
        alpha: Tensor = largest / torch.linalg.vector_norm(centred @ outside, dim=1).mean()

        def score(outputs: Outputs) -> Tensor:
            features = outputs.features.double()
            left: Tensor = torch.linalg.vector_norm((features - origin) @ outside, dim=1)
            return left * alpha + energy(features, train)

        return score


def _usual(directions: int) -> int:
    """The dimension of a subspace of features that vary in so many ``directions``."""
    for least, dimension in ((2048, 1000), (768, 512)):
        if directions >= least:
            return dimension
    return directions // 2
