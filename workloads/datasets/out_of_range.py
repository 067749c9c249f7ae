"""Images whose pixels were never scaled: the out-of-domain set of Ayle et al. (2022), arXiv 2207.04227.

There it is SVHN with pixels in 0..255 for networks that learned from pixels in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from workloads.datasets.base import Dataset, Shape, Split, SplitName


@dataclass(frozen=True)
class OutOfRange(Dataset):
    """Shows the images of ``dataset`` to networks with 255 times the brightness that they should have.

    Only for out-of-distribution tests: nothing learns from such images, and no attack looks for any.
    """

    dataset: Dataset

    @property
    def classes(self) -> int:
        return self.dataset.classes

    @property
    def boxed(self) -> bool:
        return False

    @property
    def alteration(self) -> str:
        return "pixels in 0..255"

    @property
    def concepts(self) -> frozenset[str]:
        return self.dataset.concepts

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        if split == "train":
            raise ValueError("out_of_range is for out-of-distribution tests: validation or test, not train")
        # at the network's shape already: a resize would round to bytes
        found = self.dataset.load(split, None) if shape is None else self.dataset.view(split, shape)
        return Split(found.images.to(torch.float32), found.labels)
