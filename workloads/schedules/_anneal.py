"""The curve that cosine schedules are made of."""

from __future__ import annotations

import math


def half_cosine(start: float, end: float, share: float) -> float:
    """From ``start`` at 0 to ``end`` at 1 along half a cosine, flat at both ends."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
