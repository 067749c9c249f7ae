"""Characters as the font files draw them that come with matplotlib, which is not imported for it.

A `Drawing` knows for every place how far the edge of the character is, so that it can be turned, resized and
made bolder afterwards. Green (2007): "Improved Alpha-Tested Magnification for Vector Textures and Special
Effects", SIGGRAPH courses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont, features

#: Three families, each upright and slanted, regular and bold: they have the letters of every alphabet.
DEJAVU = tuple(
    f"DejaVu{family}{style}"
    for family, styles in {
        "Sans": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "SansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "Serif": ("", "-Bold", "-Italic", "-BoldItalic"),
    }.items()
    for style in styles
)
STIX = ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta")
#: cmmi10, cmsy10 and cmex10 are left out, as is LastResort: they draw something else where letters belong.
COMPUTER_MODERN = ("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10")
#: Pixels: what a font draws at, the longer side of a character afterwards, and the empty rim around it.
DRAWN, SIDE, RIM = 200, 64, 16
FRAME = SIDE + 2 * RIM


def cover(characters: Sequence[str], face: str) -> NDArray[np.float32]:
    """How much of every pixel each character covers, in [0, 1] (N, FRAME, FRAME).

    The character is in the middle and its longer side is SIDE pixels, whatever its size in the font.
    """
    font = ImageFont.truetype(_file(face), DRAWN, layout_engine=ImageFont.Layout.BASIC)
    covers = np.zeros((len(characters), FRAME, FRAME), np.float32)
    for character, covered in zip(characters, covers, strict=True):
        mask = font.getmask(character, mode="L")
        drawn = Image.frombytes("L", mask.size, bytes(mask))
        drawn = drawn.crop(drawn.getbbox())
        width, height = (max(1, round(side * SIDE / max(drawn.size))) for side in drawn.size)
        top, left = (FRAME - height) // 2, (FRAME - width) // 2
        resized = drawn.resize((width, height), Image.Resampling.BOX)
        covered[top : top + height, left : left + width] = np.asarray(resized, np.float32) / 255
    return covers


def distances(covers: NDArray[np.float32]) -> NDArray[np.float32]:
    """The distance from each pixel's middle to the edge of its character (N, FRAME, FRAME).

    In units of the character's longer side; positive inside.
    """
    from scipy.ndimage import distance_transform_edt

    found: NDArray[np.float32] = np.empty_like(covers)
    for covered, distance in zip(covers, found, strict=True):
        inside = covered > 1 / 2
        # the middle of a pixel at the edge is half a pixel from it
        distance[:] = distance_transform_edt(inside) - distance_transform_edt(~inside)
        distance -= np.sign(distance) / 2
        partly = (covered > 0) & (covered < 1)
        distance[partly] = covered[partly] - 1 / 2
    found /= SIDE
    return found


@cache
def drawn_by(face: str) -> str:
    """What decides how ``face`` is drawn: the sha256 of its file and the versions of what reads it."""
    content = hashlib.sha256(_file(face).read_bytes()).hexdigest()
    return f"{content} Pillow {features.version('pil')} FreeType {features.version('freetype2')}"


def _file(face: str) -> Path:
    """Where the font file of ``face`` lies.

    Raises:
        FileNotFoundError: matplotlib is not installed, or has no such file.
    """
    package = find_spec("matplotlib")
    for folder in (package.submodule_search_locations if package else None) or ():
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / f"{face}.ttf"
        if file.exists():
            return file
    raise FileNotFoundError(
        f"{face}.ttf comes with matplotlib 3.10 or newer; pip install 'matplotlib>=3.10,<4'"
    )
