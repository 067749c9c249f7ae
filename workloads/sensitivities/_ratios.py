"""From sensitivities to the shares that layers lose.

OUR RECONSTRUCTION: the rule of Bai, Tabia and Santos-Rodriguez (2024, arXiv 2410.15176) is not known to us,
only that more sensitive modules are pruned less.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from scipy.stats import rankdata

#: How sensitivities become numbers from 0 to 1: linearly, or by their ranks (ties share the mean).
Scale = Literal["min_max", "rank"]


def pruning_ratios(sensitivities: Mapping[str, float], scale: Scale, protection: float) -> dict[str, float]:
    """How much each layer loses relative to the others: 1 - protection * u, u its sensitivity in [0, 1].

    The allocation ``given`` finds the factor that makes a sparsity of it.
    """
    return {name: 1 - protection * u for name, u in scaled(sensitivities, scale).items()}


def scaled(values: Mapping[str, float], scale: Scale) -> dict[str, float]:
    """``values`` in [0, 1], the smallest at 0 and the largest at 1; all 0 where they are equal."""
    numbers = (
        [float(rank) for rank in rankdata(list(values.values()))] if scale == "rank" else values.values()
    )
    low, high = min(numbers), max(numbers)
    width = high - low
    return {
        name: (value - low) / width if width else 0.0 for name, value in zip(values, numbers, strict=True)
    }
