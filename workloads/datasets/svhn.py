"""House numbers, digit by digit.

Netzer, Wang, Coates, Bissacco, Wu and Ng (2011): "Reading Digits in Natural Images with Unsupervised Feature
Learning".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from workloads.datasets._download import Remote, files_of
from workloads.datasets._idx import CLASSES, DIGITS
from workloads.datasets._parts import part_of
from workloads.datasets.base import Dataset, Shape, Split, SplitName


@dataclass(frozen=True)
class Svhn(Dataset):
    """Gives the digits 0 to 9 in colour, 32x32 pixels: 26,032 to test. The extra images are left out."""

    validation: int = 5_000
    """Of the 73,257 training images, so many validate."""

    @property
    def classes(self) -> int:
        return CLASSES

    @property
    def concepts(self) -> frozenset[str]:
        return DIGITS

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        kind = "test" if split == "test" else "train"
        (path,) = files_of("svhn", [f"{kind}_32x32.mat"], lambda: _remotes(kind))
        found = _read(path)
        return found if split == "test" else part_of(found, split, self.validation)


def _read(path: Path) -> Split:
    """The images of a Matlab file, where the digit 0 is called 10.

    Raises:
        RuntimeError: it does not hold them.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(path)
        images = torch.from_numpy(found["X"]).permute(3, 2, 0, 1).contiguous()
        labels = torch.from_numpy(found["y"]).to(torch.int64).flatten()
    except (MatReadError, KeyError, TypeError, ValueError, OSError) as error:
        raise RuntimeError(
            f"{path}: must be a Matlab file of SVHN with X and y, but {error}; delete it"
        ) from error
    return Split(images, labels % CLASSES)


def _remotes(kind: str) -> list[Remote]:
    from torchvision.datasets import SVHN

    url, name, md5 = SVHN.split_list[kind]
    return [Remote(name, (url,), md5)]
