"""Describable textures: photographs of surfaces.

Cimpoi, Maji, Kokkinos, Mohamed and Vedaldi (2014): "Describing Textures in the Wild", arXiv 1311.3618.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from workloads.datasets._download import Remote, files_of
from workloads.datasets._folder import classed, side_of
from workloads.datasets.base import Dataset, Shape, Split, SplitName

NAMES = """
banded blotchy braided bubbly bumpy chequered cobwebbed cracked crosshatched crystalline dotted fibrous
flecked freckled frilly gauzy grid grooved honeycombed interlaced knitted lacelike lined marbled matted
meshed paisley perforated pitted pleated polka-dotted porous potholed scaly smeared spiralled sprinkled
stained stratified striped studded swirly veined waffled woven wrinkled zigzagged
"""
KINDS = tuple(NAMES.split())
PARTITIONS = 10
LISTS = {"train": "train", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class TexturesDtd(Dataset):
    """Gives 1,880 textures each to train, to validate and to test, in colour, as its authors split them."""

    size: int | None = None
    """Height and width in pixels; None: those of the network that looks at them."""
    partition: int = 1
    """Which of the ten splits."""

    def __post_init__(self) -> None:
        if not 1 <= self.partition <= PARTITIONS:
            raise ValueError(f"partition must be one of 1 to {PARTITIONS}, got {self.partition}")

    @property
    def classes(self) -> int:
        return len(KINDS)

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset(KINDS)

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        size = side_of("textures_dtd", self.size, shape)
        needed = [f"dtd/dtd/labels/{LISTS[split]}{self.partition}.txt", "dtd/dtd/images"]
        names, folder = files_of("textures_dtd", needed, _remotes)
        files = names.read_text().split()
        labels = torch.tensor([_label(file, names) for file in files])
        return classed("textures_dtd", folder, files, labels, size)


def _label(file: str, names: Path) -> int:
    """The class of ``file``, which lies in the folder of its class."""
    kind = file.partition("/")[0]
    if kind not in KINDS:
        raise RuntimeError(f"{names}: {kind!r} is no texture of this set; delete its folder")
    return KINDS.index(kind)


def _remotes() -> list[Remote]:
    from torchvision.datasets import DTD

    return [Remote("dtd/dtd-r1.0.1.tar.gz", (DTD._URL,), DTD._MD5, unpack=True)]
