"""How strong each corruption is at severities 1 to 5: the constants of CIFAR-10-C, for images of 32 pixels.

Hendrycks and Dietterich (2019): "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", arXiv 1903.12261, and the script that made CIFAR-10-C. Lengths are in pixels (*) or in
widths of the image (**). Those in pixels grow with images above 32 pixels and do not shrink with smaller
ones, whose blurs would be none; so a severity is harder on a small image.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

#: The size that the lengths in pixels belong to.
SIZE = 32

SEVERITY: Mapping[str, tuple[tuple[float, ...], ...]] = {
    # the most that is added to the brightest channel
    "brightness": ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
    # the share that is left
    "contrast": ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
    # radius*, deviation* of the blur that softens the disk
    "defocus_blur": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    # length** and smoothness** of the local moves, length** of the moves of three corners
    "elastic_transform": (
        (0, 0, 0.08),
        (0.05, 0.2, 0.07),
        (0.08, 0.06, 0.06),
        (0.1, 0.04, 0.05),
        (0.1, 0.03, 0.03),
    ),
    # thickness, and what each halving of the scale divides the roughness by
    "fog": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    # shares of the image and of the ice
    "frost": ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    # deviation
    "gaussian_noise": ((0.04,), (0.06,), (0.08,), (0.09,), (0.1,)),
    # deviation* of the blur, the farthest neighbour* to swap with, rounds
    "glass_blur": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    # share of the values
    "impulse_noise": ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
    # quality
    "jpeg_compression": ((80,), (65,), (58,), (50,), (40,)),
    # half-width* and deviation* of the streak
    "motion_blur": ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    # the share of the pixels along a side that is left
    "pixelate": ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
    # photons of a white pixel
    "shot_noise": ((500,), (250,), (100,), (75,), (50,)),
    # mean and deviation of the flakes, their size*, threshold, half-width* and deviation* of the streaks, and
    # the share of the image that is not whitened
    "snow": (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    # enlargements in percent, from 0 to below this
    "zoom_blur": ((6,), (11,), (16,), (21,), (26,)),
}


def in_pixels(length: float, images: Tensor) -> float:
    """A ``length`` in pixels of an image of 32 pixels, in those of ``images`` (N, C, H, W)."""
    return length * max(1.0, min(images.shape[2:]) / SIZE)
