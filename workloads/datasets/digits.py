"""Handwritten digits: 1,797 real images that come with scikit-learn, so nothing is downloaded.

Alpaydin and Kaynak (1998): "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from workloads.datasets.base import Dataset, Shape, Split, SplitName
from workloads.randomness import uniform

CLASSES = 10
#: Images of each class that are held out; the others (114 to 123 of each class) are for training.
TEST, VALIDATION = 40, 20
#: The strongest ink in scikit-learn's copy.
INK = 16


@dataclass(frozen=True)
class Digits(Dataset):
    """Gives the digits 0 to 9 in grey, 8x8 pixels: 1,197 to train, 200 to validate, 400 to test."""

    keep: tuple[int, ...] = ()
    """The classes that stay, renumbered in this order; none given: all. The others can be unknown classes."""

    def __post_init__(self) -> None:
        if len(set(self.keep)) < len(self.keep) or not set(self.keep) <= set(range(CLASSES)):
            raise ValueError(f"keep must be different classes of 0 to {CLASSES - 1}, got {list(self.keep)}")

    @property
    def classes(self) -> int:
        return len(self.keep) or CLASSES

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset(str(digit) for digit in self.keep or range(CLASSES))

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        found = _splits()[split]
        if not self.keep:
            return found
        numbers = torch.full((CLASSES,), -1)
        numbers[list(self.keep)] = torch.arange(len(self.keep))
        labels = numbers[found.labels]
        return Split(found.images[labels >= 0], labels[labels >= 0])


@lru_cache(maxsize=1)
def _splits() -> dict[SplitName, Split]:
    """The three splits, in an order drawn once for ever; shared by the whole process, so never written to."""
    table = _table()
    images = table[:, :-1].view(-1, 1, 8, 8).mul(255 / INK).round().to(torch.uint8)
    labels = table[:, -1].to(torch.int64)
    order = uniform(0, torch.arange(len(labels)), ()).argsort(stable=True)
    of_class = [order[labels[order] == number] for number in range(CLASSES)]
    held = TEST + VALIDATION
    places: dict[SplitName, torch.Tensor] = {
        "test": torch.cat([mine[:TEST] for mine in of_class]),
        "validation": torch.cat([mine[TEST:held] for mine in of_class]),
        "train": torch.cat([mine[held:] for mine in of_class]),
    }
    mixed = {name: order[torch.isin(order, mine)] for name, mine in places.items()}
    return {name: Split(images[mine], labels[mine]) for name, mine in mixed.items()}


def _table() -> torch.Tensor:
    """One row an image (1797, 65): 64 pixels in [0, 16], then the digit."""
    package = find_spec("sklearn")
    for folder in (package.submodule_search_locations if package else None) or ():
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.exists():  # read as scikit-learn does, without the three seconds of importing it
            return torch.from_numpy(np.loadtxt(file, delimiter=","))
    from sklearn.datasets import load_digits

    raw = load_digits()
    return torch.from_numpy(np.column_stack([raw.data, raw.target]))
