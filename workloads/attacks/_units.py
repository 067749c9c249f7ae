"""The unit of distances between images."""

from __future__ import annotations


def in_pixel_range(name: str, value: float) -> None:
    """Refuse a distance per pixel above the range [0, 1], and say how one on 0..255 is written."""
    if value > 1:
        raise ValueError(
            f"{name} is in units of the pixel range [0, 1], got {value}; for 0..255 write {value:g}/255"
        )
