"""Patches of the two photographs that come with scikit-learn, a Chinese temple and a flower.

Only for out-of-distribution tests: there are no labels and no training split.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from workloads.datasets.base import Dataset, Shape, Split, SplitName
from workloads.randomness import uniform

#: Validation patches come from the left third of each photograph, test patches from the rest.
VALIDATION_WIDTH = 1 / 3


@dataclass(frozen=True)
class Textures(Dataset):
    """Cuts colour patches at fixed places, half a patch apart; validation and test share no pixel."""

    count: int = 400
    """Patches in each of the two splits."""
    size: int = 32
    """Height and width of a patch in the photograph (427x640), in pixels."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")
        if self.size < 2:  # noqa: PLR2004 - half a patch is then a pixel
            raise ValueError(f"size must be at least 2 pixels, got {self.size}")

    @property
    def classes(self) -> int:
        return 0

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        if split == "train":
            raise ValueError("textures are for out-of-distribution tests: validation or test, not train")
        images = _patches(split, self.size)
        if len(images) < self.count:
            raise ValueError(
                f"count must be at most {len(images)}, the {split} patches of {self.size} pixels, "
                f"got {self.count}"
            )
        return Split(images[: self.count], torch.zeros(self.count, dtype=torch.int64))


@lru_cache(maxsize=8)
def _patches(split: SplitName, size: int) -> Tensor:
    """All patches (N, 3, size, size) of a region, mixed once for ever; shared, so never written to."""
    found = [_cut(region, size) for region in _regions(split)]
    patches = torch.cat(found)
    return patches[uniform(0, torch.arange(len(patches)), ()).argsort(stable=True)].contiguous()


def _regions(split: SplitName) -> list[Tensor]:
    """The part (3, H, W) of each photograph that belongs to ``split``."""
    photographs = _photographs()
    borders = [int(photograph.shape[2] * VALIDATION_WIDTH) for photograph in photographs]
    return [
        photograph[:, :, :border] if split == "validation" else photograph[:, :, border:]
        for photograph, border in zip(photographs, borders, strict=True)
    ]


def _cut(region: Tensor, size: int) -> Tensor:
    """The patches (N, 3, size, size) of a region, half a patch apart; none where it is too small."""
    if min(region.shape[1:]) < size:
        return region.new_empty((0, len(region), size, size))
    windows = region.unfold(1, size, size // 2).unfold(2, size, size // 2)
    return windows.permute(1, 2, 0, 3, 4).reshape(-1, len(region), size, size)


@lru_cache(maxsize=1)
def _photographs() -> list[Tensor]:
    """The two photographs (3, 427, 640) as uint8."""
    from sklearn.datasets import load_sample_images

    return [torch.from_numpy(image.copy()).permute(2, 0, 1) for image in load_sample_images().images]
