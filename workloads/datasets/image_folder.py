"""A folder of one's own images in the layout of ImageNet: a folder for each class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from workloads.datasets._folder import classed, digest_of_files, folders_in, labelled
from workloads.datasets._parts import parted
from workloads.datasets._root import VARIABLE, data_root
from workloads.datasets.base import Dataset, Shape, Split, SplitName

#: The folders beside ``train``: the first of them that is there is to test.
HELD_OUT = ("test", "val")


@dataclass(frozen=True)
class ImageFolder(Dataset):
    """Gives the images of ``train/CLASS/`` and ``val/CLASS/``, or splits those of ``CLASS/`` by ``seed``.

    What is in ``val`` is to test, as usual with ImageNet, and images of ``train`` validate; where there is
    ``test`` too, ``val`` validates.
    """

    folder: str
    """Its name below the data root: no path, so that results do not depend on where it lies."""
    size: int
    """Height and width in pixels: the largest square in the middle of each image, resized."""
    sha256: str = ""
    """Of its files; a folder with others is refused, and the error says its digest. Empty: not looked at."""
    validation: float = 0.1
    """The share of the images to train that validates, where no folder does."""
    test: float = 0.2
    """The share of all images that is to test, where there is no ``train``."""
    seed: int = 0
    """Draws these shares."""

    def __post_init__(self) -> None:
        if Path(self.folder).is_absolute() or ".." in Path(self.folder).parts or not self.folder:
            raise ValueError(
                f"folder must be a name below the data root (--data or {VARIABLE}), got {self.folder!r}"
            )
        if self.size < 1:
            raise ValueError(f"size must be at least 1 pixel, got {self.size}")
        for name, share in (("validation", self.validation), ("test", self.test)):
            if not 0 < share < 1:
                raise ValueError(f"{name} must be a share between 0 and 1, got {share}")

    @property
    def classes(self) -> int:
        return len(folders_in(self._to_learn()))

    @property
    def concepts(self) -> frozenset[str]:
        there = (data_root() / self.folder).is_dir()
        return frozenset(folders_in(self._to_learn())) if there else frozenset()

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        self._check_digest()
        folder = self._folder_of(split)
        files, labels = labelled(folder)
        if folder == self._root():
            stays, held = self._drawn(labels, self.test)
            places = held if split == "test" else stays
        else:
            places = torch.arange(len(labels))
        if split != "test" and not self._has_both():
            stays, held = self._drawn(labels[places], self.validation)
            places = places[held if split == "validation" else stays]
        return classed(self.folder, folder, [files[at] for at in places.tolist()], labels[places], self.size)

    def _drawn(self, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """The positions of images that stay and of a ``share`` that is held out."""
        return parted(labels, max(1, round(share * len(labels))), self.seed)

    def _root(self) -> Path:
        """The folder itself.

        Raises:
            RuntimeError: it is not there.
        """
        found = data_root() / self.folder
        if not found.is_dir():
            raise RuntimeError(
                f"image_folder: there is no folder {self.folder!r} in {data_root()}; put it there, or name "
                f"the folder that has it with --data or {VARIABLE}"
            )
        return found

    def _to_learn(self) -> Path:
        """The folder with a folder for each class, from which is learned."""
        train = self._root() / "train"
        return train if train.is_dir() else self._root()

    def _has_both(self) -> bool:
        """Whether there is a folder for each of the three splits."""
        return self._to_learn() != self._root() and all((self._root() / name).is_dir() for name in HELD_OUT)

    def _folder_of(self, split: SplitName) -> Path:
        """The folder that ``split`` is, or is a part of.

        Raises:
            ValueError: there is no such folder, or its classes are not those to learn.
        """
        root, learned = self._root(), self._to_learn()
        if learned == root or split == "train" or (split == "validation" and not self._has_both()):
            return learned
        names = ("val",) if split == "validation" else HELD_OUT
        found = next((root / name for name in names if (root / name).is_dir()), None)
        if found is None:
            raise ValueError(f"{root}: beside train there must be val or test, with the same classes")
        if odd := set(folders_in(found)) ^ set(folders_in(learned)):
            raise ValueError(
                f"{found} must have the classes of {learned}; only one has {', '.join(sorted(odd))}"
            )
        return found

    def _check_digest(self) -> None:
        """Refuse other files than those that are asked for.

        Raises:
            ValueError: the digest is another one; says which.
        """
        if self.sha256:
            root = self._root()
            found = digest_of_files(self.folder, root)
            if found != self.sha256:
                raise ValueError(f"sha256 must be {found}, that of the files in {root}, got {self.sha256!r}")
