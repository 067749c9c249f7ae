"""Characters of many alphabets, drawn from the fonts that come with matplotlib: nothing is downloaded.

The letters of latin are classes as in EMNIST's by-merge: Cohen, Afshar, Tapson and van Schaik (2017), arXiv
1702.05373.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from workloads.datasets._fonts import cover, distances, drawn_by
from workloads.datasets._glyphs_alphabets import Alphabet, Faces, classes_of, faces_of, likenesses
from workloads.datasets._glyphs_rendering import Style, render
from workloads.datasets._kept import kept
from workloads.datasets.base import Dataset, Shape, Split, SplitName
from workloads.randomness import derive, uniform

#: More images of a class than there can be: samples of different classes never share their draws.
MOST = 2**20


@dataclass(frozen=True)
class Glyphs(Dataset):
    """Draws characters in random poses, strokes and contrasts, with stray lines, blur and noise.

    Every class has as many images of each of its characters in each font face as another, give or take one,
    in all splits alike. Alphabets differ in nothing but the characters, so that each is an
    out-of-distribution set of another. Images of another ``per_class`` or ``held_out`` are the same, only
    more or fewer.
    """

    alphabet: Alphabet = "latin"
    unlike: Alphabet | None = None
    """Leave out what looks like a character of this alphabet, as for an out-of-distribution set of it. None:
    what looks like a Latin letter or a digit, but these two alphabets are whole."""
    size: Literal[16, 32] = 16
    """Height and width in pixels."""
    colour: bool = False
    faces: Faces = "seen"
    """Seen: the 12 text faces of DejaVu. Unseen: a covariate shift, 9 faces of STIX and Computer Modern (for
    greek and cyrillic 4, for the other alphabets none)."""
    per_class: int = 240
    """Training images of each class."""
    held_out: int = 96
    """Images of each class in each of validation and test."""
    jitter: float = 1.0
    """Turn, slant, stretch, size, place and stroke width vary this many times the usual; 0: not at all."""
    noise: float = 1.0
    """This many times the usual blur and pixel noise; 0: neither."""
    clutter: float = 1.0
    """This many times the usual ink in stray lines; 0: none."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.unlike == self.alphabet:
            raise ValueError(f"unlike must be another alphabet than {self.alphabet}")
        for name in ("per_class", "held_out"):
            if not 1 <= getattr(self, name) <= MOST:
                raise ValueError(f"{name} must be in [1, {MOST}], got {getattr(self, name)}")
        for name in ("jitter", "noise", "clutter"):
            if not 0 <= getattr(self, name) <= 2:  # noqa: PLR2004 - beyond it characters leave the image
                raise ValueError(f"{name} must be in [0, 2], got {getattr(self, name)}")
        faces_of(self.alphabet, self.faces)

    @property
    def classes(self) -> int:
        return len(classes_of(self.alphabet, self.unlike))

    @property
    def alteration(self) -> str:
        return "" if self.faces == "seen" else f"{self.faces} faces"

    @property
    def concepts(self) -> frozenset[str]:
        shown = "".join(classes_of(self.alphabet, self.unlike))
        return frozenset(shown) | likenesses(shown, self.alphabet)

    def load(self, split: SplitName, shape: Shape | None) -> Split:
        return kept(f"glyphs/{self.alphabet}-{split}-{self._key(split)}", lambda: self._drawn(split))

    def _key(self, split: SplitName) -> str:
        """All that the content of ``split`` depends on, as 16 hexadecimal digits."""
        alike = dataclasses.replace(self, per_class=1, held_out=1)  # the other split's number decides nothing
        parts = [
            self.version,
            dataclasses.asdict(alike),
            self._count(split),
            classes_of(self.alphabet, self.unlike),
            [drawn_by(face) for face in faces_of(self.alphabet, self.faces)],
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def _count(self, split: SplitName) -> int:
        """Images of each class in ``split``."""
        return self.per_class if split == "train" else self.held_out

    def _drawn(self, split: SplitName) -> Split:
        """The images and labels of ``split``, made anew."""
        letters, faces = classes_of(self.alphabet, self.unlike), faces_of(self.alphabet, self.faces)
        which, labels, samples = self._places(letters, len(faces), self._count(split))
        style = Style(self.size, 3 if self.colour else 1, self.jitter, self.noise, self.clutter)
        drawings = _drawings("".join(letters), faces)
        return Split(render(drawings, which, samples, derive(self.seed, "glyphs", split), style), labels)

    def _places(self, letters: tuple[str, ...], faces: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Drawing, label and number of every image, in mixed order."""
        which, labels, samples, before = [], [], [], 0
        for label, letter in enumerate(letters):
            number, pairs = torch.tensor([ord(letter[0])]), len(letter) * faces
            turns = uniform(derive(self.seed, "glyphs", "turns"), number, (pairs,))[0].argsort(stable=True)
            which.append(before + turns[torch.arange(count) % pairs])
            labels.append(torch.full((count,), label))
            samples.append(number * MOST + torch.arange(count))
            before += pairs
        order = uniform(derive(self.seed, "glyphs", "order"), torch.cat(samples), ()).argsort(stable=True)
        return torch.cat(which)[order], torch.cat(labels)[order], torch.cat(samples)[order]


@lru_cache(maxsize=1)  # for the splits of a set that is made
def _drawings(characters: str, faces: tuple[str, ...]) -> Tensor:
    """Each of ``characters`` by each of ``faces`` in turn, as `render` takes them."""
    covers = np.stack([cover(characters, face) for face in faces], axis=1)
    return torch.from_numpy(np.concatenate([distances(one) for one in covers]))
