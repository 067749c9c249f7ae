"""Given ratios: each layer loses in proportion to a number that somebody else has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from workloads.masks import layer_of
from workloads.sparsity._rounding import exact_counts, total_kept
from workloads.sparsity.base import Allocation

#: Halvings after which a float64 has no digits left to settle.
HALVINGS = 200


@dataclass(frozen=True)
class Given(Allocation):
    """Takes from each layer its ratio times one factor for all, up to `most`; the factor meets the total."""

    ratios: Mapping[str, float] = field(default_factory=dict)
    """How much goes from a layer, relative to the others: ``{hidden1: 1, head: 0.2}``, every layer named.

    None given: those that ``prune`` reads under the role ``ratios``.
    """
    most: float = 0.98
    """The largest share that goes from any layer."""

    def __post_init__(self) -> None:
        if not 0 < self.most <= 1:
            raise ValueError(f"most must be in (0, 1], got {self.most}")
        for name, ratio in self.ratios.items():
            if ratio < 0:
                raise ValueError(f"ratios must not be negative, got {ratio} for {name}")

    def kept(self, scores: Mapping[str, Tensor], sparsity: float) -> Mapping[str, int]:
        layers = [layer_of(name) for name in scores]
        if set(layers) != set(self.ratios):
            raise ValueError(
                f"ratios must name the layers of the network, {', '.join(layers)}; got {sorted(self.ratios)}"
            )
        sizes = {name: score.numel() for name, score in scores.items()}
        gone = losses({name: self.ratios[layer_of(name)] for name in sizes}, sizes, sparsity, self.most)
        quotas = {name: (1 - gone[name]) * size for name, size in sizes.items()}
        return exact_counts(quotas, sizes, total_kept(sizes, sparsity))


def losses(
    ratios: Mapping[str, float], sizes: Mapping[str, int], sparsity: float, most: float
) -> dict[str, float]:
    """The share that goes from each layer, by name: min(factor * ratio, most), ``sparsity`` over all.

    Raises:
        ValueError: the layers with a ratio above zero are too small for that.
    """
    wanted = sparsity * sum(sizes.values())
    limit = most * sum(size for name, size in sizes.items() if ratios[name] > 0)
    if wanted > limit:
        raise ValueError(
            f"sparsity must be at most {limit / sum(sizes.values()):.6g} with these ratios and most: {most}, "
            f"got {sparsity}"
        )
    largest = most / min((ratio for ratio in ratios.values() if ratio > 0), default=1)
    low, high = 0.0, largest  # at this factor every layer is at its limit
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        taken = sum(min(middle * ratios[name], most) * size for name, size in sizes.items())
        low, high = (middle, high) if taken < wanted else (low, middle)
    return {name: min(high * ratio, most) for name, ratio in ratios.items()}
