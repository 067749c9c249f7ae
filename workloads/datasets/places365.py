"""Photographs of places, in the small version of 256 pixels.

Zhou, Lapedriza, Khosla, Oliva and Torralba (2018): "Places: A 10 Million Image Database for Scene
Recognition".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from workloads.datasets._download import Remote, files_of
from workloads.datasets._folder import classed, side_of
from workloads.datasets._parts import parted
from workloads.datasets.base import Dataset, Shape, Split, SplitName

CLASSES = 365
#: What is to train (1.8 million photographs, 24 GB) is needed only to train and to validate.
PARTS = {
    "train": ("places365_train_standard.txt", "data_256_standard", "train-standard"),
    "test": ("places365_val.txt", "val_256", "val"),
}


@dataclass(frozen=True)
class Places365(Dataset):
    """Gives 365 kinds of places in colour; the 36,500 images that its authors validate with are to test."""

    size: int | None = None
    """Height and width in pixels; None: those of the network that looks at them."""
    validation: int = 36_500
    """Of the training images, so many validate."""

    @property
    def classes(self) -> int:
        return CLASSES

    @property
    def concepts(self) -> frozenset[str]:
        # Of its kinds, those that classes elsewhere are: an ocean is a sea, a broadleaf forest a forest.
        return frozenset(("bridge", "castle", "forest", "house", "mountain", "road", "sea", "skyscraper"))

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        size = side_of("places365", self.size, shape)
        part = PARTS["test" if split == "test" else "train"]
        names, folder = files_of("places365", part[:2], lambda: _remotes(part[1], part[2]))
        files, labels = _listed(names)
        if split != "test":
            stays, held = parted(labels, self.validation)
            places = held if split == "validation" else stays
            files, labels = [files[at] for at in places.tolist()], labels[places]
        return classed("places365", folder, files, labels, size)


def _listed(names: Path) -> tuple[list[str], torch.Tensor]:
    """The files and labels of a list: a file and the number of its class in every line.

    Raises:
        RuntimeError: it is no such list.
    """
    try:
        pairs = [line.split() for line in names.read_text().splitlines()]
        return [file.lstrip("/") for file, _ in pairs], torch.tensor([int(label) for _, label in pairs])
    except ValueError as error:
        raise RuntimeError(f"{names}: must have a file and a number in every line, but {error}") from error


def _remotes(folder: str, part: str) -> list[Remote]:
    from torchvision.datasets import Places365 as Known

    lists, images = Known._DEVKIT_META["standard"], Known._IMAGES_META[part, True]
    base = Known._BASE_URL
    # Their archive of what is to train holds a folder of another name.
    renamed = ("data_256", folder)
    return [
        Remote(lists[0], (base + lists[0],), lists[1], unpack=True),
        Remote(images[0], (base + images[0],), images[1], unpack=True, renamed=renamed),
    ]
