"""Seconds as people read them."""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 86400


def clock(seconds: float) -> str:
    """``0:07``, ``12:30`` or ``3:05:00``."""
    whole = int(seconds)
    minutes, rest = divmod(whole, MINUTE)
    if whole < HOUR:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def roughly(seconds: float) -> str:
    """One unit, rounded: ``40 s``, ``3 min``, ``2.5 h``, ``4 d``."""
    if seconds < 90:  # noqa: PLR2004 - 1 min would be too coarse
        return f"{seconds:.0f} s"
    if seconds < 90 * MINUTE:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.1f} h" if seconds < 2 * DAY else f"{seconds / DAY:.0f} d"


def took(seconds: float) -> str:
    """How long something took: ``0.4 s``, else as `clock`."""
    return f"{seconds:.1f} s" if seconds < MINUTE else clock(seconds)
