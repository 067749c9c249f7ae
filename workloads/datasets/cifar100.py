"""Small photographs of a hundred kinds of things.

Krizhevsky (2009): "Learning Multiple Layers of Features from Tiny Images". None of them is a kind of CIFAR-10
by the word of its author (trucks there are big ones, here are pickups), so that each is an
out-of-distribution test of the other, a near one.
"""

from __future__ import annotations

from dataclasses import dataclass

from workloads.datasets._cifar import cifar_split
from workloads.datasets.base import Dataset, Shape, Split, SplitName

NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel
can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion
lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree
pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea
seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table
tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman
worm
"""
KINDS = tuple(NAMES.split())


@dataclass(frozen=True)
class Cifar100(Dataset):
    """Gives photographs in colour, 32x32 pixels, with their fine labels: 10,000 to test."""

    validation: int = 5_000
    """Of the 50,000 training images, so many validate."""

    @property
    def classes(self) -> int:
        return len(KINDS)

    @property
    def concepts(self) -> frozenset[str]:
        return frozenset(KINDS)

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        return cifar_split("CIFAR100", split, self.validation)
