"""Random crops of the padded image and mirror images (Krizhevsky et al., 2012: "ImageNet Classification with
Deep Convolutional Neural Networks"; 4 pixels of padding at 32: He et al., 2015, arXiv 1512.03385).

The padding is black, as in torchvision's usual pipeline; He et al. pad with the mean of the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from workloads.augmentations._pixels import picked, whole
from workloads.augmentations.base import Augmentation
from workloads.randomness import uniform


@dataclass(frozen=True)
class CropFlip(Augmentation):
    """Shifts each image by up to ``padding`` pixels each way, and mirrors some left to right."""

    padding: int | None = None
    """Pixels; none given: an eighth of the longer side, so 4 at 32 and 1 at 8."""
    flip: float = 0.5
    """Probability of the mirror image; 0 where left and right mean something, as in letters and digits."""

    def __post_init__(self) -> None:
        if self.padding is not None and self.padding < 0:
            raise ValueError(f"padding must not be negative, got {self.padding}")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"flip is a probability in [0, 1], got {self.flip}")

    def augment(
        self, images: Tensor, labels: Tensor, samples: Tensor, seed: int, classes: int
    ) -> tuple[Tensor, Tensor | None]:
        height, width = images.shape[2:]
        padding = max(height, width) // 8 if self.padding is None else self.padding
        padded = pad(images, (padding,) * 4)
        down, right, mirror = uniform(seed, samples, (3,)).unbind(1)
        rows = whole(down, 2 * padding + 1)[:, None] + torch.arange(height, device=images.device)
        onwards = torch.arange(width, device=images.device)
        across = torch.where((mirror < self.flip)[:, None], onwards.flip(0), onwards)
        columns = whole(right, 2 * padding + 1)[:, None] + across
        return picked(padded, rows[:, :, None] * padded.shape[3] + columns[:, None]), None
