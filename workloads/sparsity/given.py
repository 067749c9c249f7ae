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
    """Takes from each layer its ratio times the factor that meets the total, within `least` and `most`."""

    ratios: Mapping[str, float] = field(default_factory=dict)
    """How much goes from a layer, relative to the others: ``{hidden1: 1, head: 0.2}``, every layer named.

    None given: those that ``prune`` reads under the role ``ratios``.
    """
    most: float = 0.98
    """The largest share that goes from any layer."""
    # As LATER of orchestrator.stage, which only stages know: at its default it is no part of an address.
    least: float = field(default=0.0, metadata={"omit_default_from_address": True})
    """The smallest share that goes from any layer."""

    def __post_init__(self) -> None:
        if not 0 < self.most <= 1:
            raise ValueError(f"most must be in (0, 1], got {self.most}")
        if not 0 <= self.least <= self.most:
            raise ValueError(f"least must be in [0, most], got {self.least} with most: {self.most}")
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
        ratios = {name: self.ratios[layer_of(name)] for name in sizes}
        gone = losses(ratios, sizes, sparsity, self.most, self.least)
        quotas = {name: (1 - gone[name]) * size for name, size in sizes.items()}
        return exact_counts(quotas, sizes, total_kept(sizes, sparsity))


def losses(
    ratios: Mapping[str, float], sizes: Mapping[str, int], sparsity: float, most: float, least: float = 0.0
) -> dict[str, float]:
    """The share that goes from each layer, by name: factor * ratio in [least, most], ``sparsity`` over all.

    Raises:
        ValueError: the layers with a ratio above zero are too small for that, or ``least`` is more.
    """
    if sparsity < least:
        raise ValueError(
            f"sparsity must be at least what goes from each layer, least: {least}, got {sparsity}"
        )

    def taken(factor: float) -> dict[str, float]:
        return {name: max(min(factor * ratio, most), least) for name, ratio in ratios.items()}

    def total(shares: Mapping[str, float]) -> float:
        return sum(shares[name] * size for name, size in sizes.items())

    wanted = sparsity * sum(sizes.values())
    limit = total({name: most if ratio > 0 else least for name, ratio in ratios.items()})
    if wanted > limit:
        raise ValueError(
            f"sparsity must be at most {limit / sum(sizes.values()):.6g} with these ratios and most: {most}, "
            f"got {sparsity}"
        )
    largest = most / min((ratio for ratio in ratios.values() if ratio > 0), default=1)
    low, high = 0.0, largest  # at this factor every layer is at its limit
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if total(taken(middle)) < wanted else (low, middle)
    return taken(high)
