"""What every data set promises: fixed, disjoint splits, a fingerprint, and a view without test data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from torch import Tensor

from workloads.datasets._conversion import digest_of, seen_by

#: Channels, height, width.
Shape = tuple[int, int, int]
SplitName = Literal["train", "validation", "test"]
#: What a stage that learns may see.
LEARNED: tuple[SplitName, ...] = ("train", "validation")


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W) as uint8 with labels (N,) as int64 in [0, classes).

    Images of float32 are on the pixel scale [0, 1] already: attacked ones, or ones that leave the range.
    The images may be mapped from a file, and then be more than memory holds: whoever takes them does so a
    part at a time, and never writes to them.
    """

    images: Tensor
    labels: Tensor
    digest: str = ""
    """The sha256 of the content where it was computed when the images were made, else empty."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class LearningData:
    """What a stage that learns may see: there is no test split to leak."""

    train: Split
    validation: Split
    classes: int
    fingerprint: str

    @property
    def shape(self) -> Shape:
        """Shape of one image."""
        channels, height, width = self.train.images.shape[1:]
        return (channels, height, width)


@dataclass(frozen=True)
class Dataset(ABC):
    """Labelled images, or unlabelled ones for out-of-distribution tests (then with ``test`` alone)."""

    version: ClassVar[int] = 1

    @property
    @abstractmethod
    def classes(self) -> int:
        """How many classes its labels name; 0 for a set without labels (all labels are then 0)."""

    @property
    def boxed(self) -> bool:
        """Whether every pixel is in [0, 1], the box that attacks stay in; a hook with the usual answer."""
        return True

    @property
    def alteration(self) -> str:
        """What makes its images an anomaly though their classes are known, in words; a hook, empty for none.

        Corrupted images, say, may be told from the images that they were made of.
        """
        return ""

    @property
    def concepts(self) -> frozenset[str]:
        """What its images show, in words that other sets use too; a hook, empty where that is not known.

        That is the names of the classes, and broader ones that are classes elsewhere: a set with Persian cats
        says ``cat``. Sets with a common word are no out-of-distribution test of each other.
        """
        return frozenset()

    @abstractmethod
    def load(self, split: SplitName, shape: Shape | None) -> Split:
        """The images of one split.

        ``shape`` is what the network takes; only a set without a shape of its own (noise) needs it.

        Raises:
            ValueError: the set has no such split.
        """

    @final
    def learning(self) -> LearningData:
        """The splits for stages that learn.

        Raises:
            ValueError: the images are no pixels.
        """
        train, validation = (_pixels(self.load(split, None)) for split in LEARNED)
        return LearningData(train, validation, self.classes, digest_of(train, validation))

    @final
    def view(self, split: SplitName, shape: Shape) -> Split:
        """One split as a network with input ``shape`` sees it: antialiased resize, grey or colour.

        Raises:
            ValueError: the set is `boxed` and its images are no pixels.
        """
        found = self.load(split, shape)
        found = _pixels(found) if self.boxed else found
        images = seen_by(found.images, shape)
        return found if images is found.images else Split(images, found.labels)


def _pixels(split: Split) -> Split:
    """``split``, if its images are bytes: then they are in [0, 1], which training and attacks count on."""
    if split.images.dtype != torch.uint8:
        raise ValueError(f"images must be pixels from 0 to 255 (uint8) here, got {split.images.dtype}")
    return split
