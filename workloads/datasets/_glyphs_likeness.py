"""How alike two characters look, and the table of look-alikes that follows from it.

``python -m workloads.datasets._glyphs_likeness`` writes the table anew. It is kept in a file, so that the
classes of an alphabet are known without drawing anything and do not depend on the version of a library.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workloads.datasets._fonts import DEJAVU, RIM, SIDE, cover
from workloads.datasets._glyphs_alphabets import ALPHABETS, LETTERS, UNSEEN, Alphabet

#: Where the cases of Latin letters begin to look alike: U and u reach 0.91, Y and y 0.89.
ALIKE = 0.9
#: In pixels: the deviation of the Gaussian that both are blurred with, and the empty rim that is compared.
BLUR, COMPARED = 2, 4
#: Confusable by Unicode's technical standard 39, but drawn a little too differently to be found.
BENT = (("α", "a"), ("ν", "v"), ("×", "x"))
TABLE = Path(__file__).with_name("_glyphs_look_alikes.py")
HEAD = '''"""Characters of an alphabet that look like one of another: made by ``_glyphs_likeness.py``."""

from __future__ import annotations

LOOK_ALIKES: dict[tuple[str, str], str] = {
'''


def look_alikes(alphabet: Alphabet, other: Alphabet) -> str:
    """The characters of ``alphabet`` that look like one of ``other`` in at least one face that has both."""
    mine, others = "".join(LETTERS[alphabet]), "".join(LETTERS[other])
    unseen = [face for face in UNSEEN.get(alphabet, ()) if face in UNSEEN.get(other, ())]
    most = np.max([likeness(mine, others, face) for face in (*DEJAVU, *unseen)], axis=(0, 2))
    bent = {one for pair in BENT for one, twin in (pair, pair[::-1]) if twin in others}
    return "".join(one for one, reached in zip(mine, most, strict=True) if reached >= ALIKE or one in bent)


def likeness(first: str, second: str, face: str) -> NDArray[np.float32]:
    """The correlation of each character of ``first`` with each of ``second``, drawn equally large (N, M)."""
    return _features(first, face) @ _features(second, face).T


@cache
def _features(characters: str, face: str) -> NDArray[np.float32]:
    """The blurred characters, less their mean, at length 1 (N, pixels)."""
    from scipy.ndimage import gaussian_filter

    compared = slice(RIM - COMPARED, RIM + SIDE + COMPARED)
    covers = cover(characters, face)[:, compared, compared]
    blurred = gaussian_filter(covers, (0, BLUR, BLUR)).reshape(len(characters), -1)
    blurred -= blurred.mean(axis=1, keepdims=True)
    found: NDArray[np.float32] = blurred / np.linalg.norm(blurred, axis=1, keepdims=True)
    return found


if __name__ == "__main__":
    rows = (
        f'    ("{alphabet}", "{other}"): "{look_alikes(alphabet, other)}",\n'
        for alphabet, other in permutations(ALPHABETS, 2)
    )
    TABLE.write_text(f"{HEAD}{''.join(rows)}}}\n", encoding="utf-8")
