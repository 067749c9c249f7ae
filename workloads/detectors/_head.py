"""The last layer, applied to features that were changed."""

from __future__ import annotations

from torch import Tensor

from workloads.detectors.base import Outputs


def energy(features: Tensor, outputs: Outputs, weight: Tensor | None = None) -> Tensor:
    """The energy (N,) of the K known logits that the last layer of ``outputs`` makes of ``features`` (N, D).

    ``weight`` (K, D) stands in for its weights where given.
    """
    weight = outputs.weight[: outputs.classes].double() if weight is None else weight
    return -(features @ weight.T + outputs.bias[: outputs.classes].double()).logsumexp(1)


def strongest(detector: str, features: Tensor, pruned: float) -> tuple[Tensor, Tensor]:
    """The largest 1 - ``pruned`` (at least one) of each image's features, the others zero; and a ratio.

    The ratio (N, 1) is the sum of all features over the sum of those that are left, one where all are zero.

    Raises:
        ValueError: a feature is negative, so that sums say nothing about strength; names the ``detector``.
    """
    if features.min() < 0:
        raise ValueError(
            f"{detector} needs features that are not negative, such as those after a ReLU, "
            f"got {float(features.min()):.3g}"
        )
    count = max(1, features.shape[1] - round(features.shape[1] * pruned))
    values, places = features.topk(count, dim=1)
    left = features.new_zeros(features.shape).scatter(1, places, values)
    sums = values.sum(1, keepdim=True)
    return left, (features.sum(1, keepdim=True) / sums).where(sums > 0, 1.0)


def check_share(name: str, share: float) -> None:
    """Refuse what is no share of something that is left.

    Raises:
        ValueError: ``share`` is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"{name} must be in [0, 1), got {share}")
