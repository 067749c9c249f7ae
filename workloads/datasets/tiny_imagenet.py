"""Two hundred classes of ImageNet, small.

Le and Yang (2015): "Tiny ImageNet Visual Recognition Challenge".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from workloads.datasets._download import Remote, files_of
from workloads.datasets._folder import classed, labelled
from workloads.datasets._parts import parted
from workloads.datasets.base import Dataset, Shape, Split, SplitName

CLASSES = 200
FOLDER = "tiny-imagenet-200"
REMOTE = Remote(
    f"{FOLDER}.zip",
    (f"http://cs231n.stanford.edu/{FOLDER}.zip",),
    "90528d7ca1a48142e341f4ef8d21d0de",
    unpack=True,
)
#: The classes of CIFAR-10 and CIFAR-100 that some of its classes are kinds of, with these.
KINDS = {
    "aquarium_fish": "goldfish",
    "automobile": "beach wagon, convertible, limousine, sports car",
    "bear": "brown bear",
    "bee": "bee",
    "beetle": "ladybug",
    "bird": "goose, black stork, king penguin, albatross",
    "bottle": "beer bottle, pill bottle, pop bottle",
    "bridge": "steel arch bridge, suspension bridge, viaduct",
    "bus": "school bus, trolleybus",
    "butterfly": "monarch, sulphur butterfly",
    "camel": "Arabian camel",
    "cat": "tabby, Persian cat, Egyptian cat",
    "cattle": "ox, bison",
    "chair": "rocking chair",
    "chimpanzee": "chimpanzee",
    "clock": "stopwatch",
    "cockroach": "cockroach",
    "crocodile": "American alligator",
    "dog": "Chihuahua, Yorkshire terrier, golden and Labrador retriever, German shepherd, standard poodle",
    "elephant": "African elephant",
    "frog": "bullfrog, tailed frog",
    "house": "barn",
    "keyboard": "computer keyboard",
    "lamp": "lampshade",
    "lawn_mower": "lawn mower",
    "lion": "lion",
    "lobster": "American lobster, spiny lobster",
    "mountain": "alp",
    "mushroom": "mushroom",
    "orange": "orange",
    "plate": "plate",
    "rocket": "projectile",
    "sea": "seashore",
    "ship": "gondola, lifeboat",
    "snail": "snail",
    "snake": "boa constrictor",
    "spider": "black widow, tarantula",
    "sweet_pepper": "bell pepper",
    "table": "desk, dining table",
    "telephone": "pay-phone",
    "tractor": "tractor",
    "train": "bullet train, freight car",
    "truck": "moving van",
}


@dataclass(frozen=True)
class TinyImagenet(Dataset):
    """Gives photographs in colour, 64x64 pixels; the 10,000 that its authors validate with are to test."""

    size: int = 64
    """Height and width in pixels; below 64 they are resized."""
    validation: int = 10_000
    """Of the 100,000 training images, so many validate."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1 pixel, got {self.size}")

    @property
    def classes(self) -> int:
        return CLASSES

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset(KINDS)

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        train, held = files_of("tiny_imagenet", [f"{FOLDER}/train", f"{FOLDER}/val"], lambda: [REMOTE])
        if split == "test":
            files, labels = _annotated(held, sorted(item.name for item in train.iterdir()))
            return classed("tiny_imagenet", held, files, labels, self.size)
        files, labels = labelled(train)
        stays, validates = parted(labels, self.validation)
        places = validates if split == "validation" else stays
        return classed(
            "tiny_imagenet", train, [files[at] for at in places.tolist()], labels[places], self.size
        )


def _annotated(folder: Path, classes: list[str]) -> tuple[list[str], torch.Tensor]:
    """The files and labels of ``val_annotations.txt``: a file and its class begin every line.

    Raises:
        RuntimeError: a line names no class.
    """
    names = folder / "val_annotations.txt"
    pairs = [line.split()[:2] for line in names.read_text().splitlines()]
    odd = sorted({kind for _, kind in pairs} - set(classes))
    if odd:
        raise RuntimeError(f"{names}: names classes that there are no images to train of: {', '.join(odd)}")
    number = {kind: at for at, kind in enumerate(classes)}
    return [f"images/{file}" for file, _ in pairs], torch.tensor([number[kind] for _, kind in pairs])
