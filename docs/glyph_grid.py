"""The picture of the glyphs in the README: ``python -m docs.glyph_grid`` draws it anew.

Every third class of latin at 32 pixels, in grey and in colour; below, a row for each other alphabet.
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from workloads.datasets._glyphs_alphabets import ALPHABETS
from workloads.datasets.glyphs import Glyphs

PICTURE = Path(__file__).with_name("glyphs.png")
SIZE, SAMPLES, GAP, WHITE, COLOURS = 32, 12, 8, 255, 128


def picture() -> Tensor:
    """The grid (H, W, 3): samples of a class from left to right."""
    grey, colour = (_classes(Glyphs(size=SIZE, colour=on))[::3] for on in (False, True))
    others = [_classes(Glyphs(alphabet=name, size=SIZE, colour=True)) for name in ALPHABETS[1:]]
    beside = torch.cat([_rows(grey), torch.full((len(grey) * SIZE, GAP, 3), WHITE), _rows(colour)], dim=1)
    below = torch.cat([_row(classes, beside.shape[1]) for classes in others])
    gap = torch.full((GAP, beside.shape[1], 3), WHITE)
    return torch.cat([beside, gap, below]).to(torch.uint8)


def _classes(glyphs: Glyphs) -> Tensor:
    """The first images of every class (classes, SAMPLES, 3, SIZE, SIZE)."""
    test = glyphs.load("test", None)
    found = [test.images[test.labels == label][:SAMPLES] for label in range(glyphs.classes)]
    return torch.stack(found).expand(-1, -1, 3, -1, -1)


def _rows(classes: Tensor) -> Tensor:
    """A row for each class."""
    return classes.permute(0, 3, 1, 4, 2).reshape(len(classes) * SIZE, -1, 3)


def _row(classes: Tensor, width: int) -> Tensor:
    """One row of images of different classes, ``width`` pixels long."""
    count = width // SIZE
    mixed = classes.transpose(0, 1).flatten(0, 1)[:count]
    row = _rows(mixed[None])
    return torch.cat([row, torch.full((SIZE, width - count * SIZE, 3), WHITE)], dim=1)


if __name__ == "__main__":
    Image.fromarray(picture().numpy()).quantize(COLOURS).save(PICTURE, optimize=True)
