"""Whole numbers of weights from fractional quotas, with an exact total."""

from __future__ import annotations

from collections.abc import Mapping


def total_kept(sizes: Mapping[str, int], sparsity: float) -> int:
    """How many of all weights stay at ``sparsity``."""
    return round((1 - sparsity) * sum(sizes.values()))


def exact_counts(quotas: Mapping[str, float], sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """Whole numbers in [1, size] with the sum ``total``, nearest to ``quotas`` by largest remainder.

    Raises:
        ValueError: ``total`` leaves a layer without any weight, or exceeds what there is.
    """
    if not len(sizes) <= total <= sum(sizes.values()):
        raise ValueError(
            f"at least one weight of each layer must stay: {len(sizes)} to {sum(sizes.values())}, got {total}"
        )
    counts = {name: min(max(int(quotas[name]), 1), size) for name, size in sizes.items()}
    missing = total - sum(counts.values())
    move = 1 if missing > 0 else -1
    for _ in range(abs(missing)):
        movable = [name for name, size in sizes.items() if 1 <= counts[name] + move <= size]
        name = max(movable, key=lambda name: move * (quotas[name] - counts[name]))
        counts[name] += move
    return counts
