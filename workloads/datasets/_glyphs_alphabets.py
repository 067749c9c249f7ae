"""The alphabets of the glyphs: which characters make a class, and which look like one of another alphabet."""

from __future__ import annotations

from typing import Literal, get_args

from workloads.datasets._fonts import COMPUTER_MODERN, DEJAVU, STIX
from workloads.datasets._glyphs_look_alikes import LOOK_ALIKES

Alphabet = Literal["latin", "digits", "greek", "cyrillic", "armenian", "georgian", "symbols"]
Faces = Literal["seen", "unseen"]
ALPHABETS: tuple[Alphabet, ...] = get_args(Alphabet)

#: As in EMNIST's by-merge (Cohen, Afshar, Tapson and van Schaik, 2017, arXiv 1702.05373): the cases of
#: these letters look alike and are one class; the others are two.
MERGED = "CIJKLMOPSUVWXYZ"
SYMBOLS = "#$%&?@→↑↔↕↺⇒∀∃∂∇∑∏√∞∫∩∪⊂≈≠≡±×÷⊕⊗■▲◆●☺☼♀♂♠♣♥♦♪♫♯€£§¶©⌘"
#: Alphabets that one trains on: whole, unless something else is asked for.
WHOLE: tuple[Alphabet, ...] = ("latin", "digits")
UNSEEN: dict[Alphabet, tuple[str, ...]] = {
    "latin": STIX + COMPUTER_MODERN,
    "digits": STIX + COMPUTER_MODERN,
    "greek": STIX,
    "cyrillic": STIX,
}


def _latin() -> tuple[str, ...]:
    capitals = _run("A", 26)
    merged = [letter + letter.lower() if letter in MERGED else letter for letter in capitals]
    return (*merged, *(letter.lower() for letter in capitals if letter not in MERGED))


def _both_cases(capitals: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(letter + letter.lower() for letter in capitals)


def _run(first: str, count: int) -> tuple[str, ...]:
    """``count`` letters in the order of their numbers, less what is no letter."""
    run = (chr(ord(first) + place) for place in range(count))
    return tuple(letter for letter in run if letter.isalpha())


#: The classes of each whole alphabet, as the characters that are drawn for them.
LETTERS: dict[Alphabet, tuple[str, ...]] = {
    "latin": _latin(),
    "digits": tuple("0123456789"),
    "greek": _both_cases(_run("\N{GREEK CAPITAL LETTER ALPHA}", 25)),  # 24: one place is empty
    "cyrillic": _both_cases((*_run("\N{CYRILLIC CAPITAL LETTER A}", 32), "Ё")),
    "armenian": _both_cases(_run("\N{ARMENIAN CAPITAL LETTER AYB}", 38)),
    "georgian": _run("\N{GEORGIAN LETTER AN}", 33),
    "symbols": tuple(SYMBOLS),
}


def classes_of(alphabet: Alphabet, unlike: Alphabet | None) -> tuple[str, ...]:
    """The classes of ``alphabet`` without the characters that look like one of the alphabet ``unlike``.

    ``unlike`` None: without those that look like a Latin letter or a digit, but these two are whole.
    """
    others = (unlike,) if unlike else () if alphabet in WHOLE else WHOLE
    left_out = "".join(LOOK_ALIKES[alphabet, other] for other in others)
    kept = ("".join(one for one in letter if one not in left_out) for letter in LETTERS[alphabet])
    return tuple(letter for letter in kept if letter)


def likenesses(characters: str, alphabet: Alphabet) -> frozenset[str]:
    """A word for every other alphabet that one of ``characters`` looks like a character of.

    The other alphabet has the same word as long as it has such characters.
    """
    return frozenset(
        f"characters that {' and '.join(sorted((alphabet, other)))} have alike (`unlike` leaves them out)"
        for other in ALPHABETS
        if other != alphabet and set(characters) & set(LOOK_ALIKES[alphabet, other])
    )


def faces_of(alphabet: Alphabet, faces: Faces) -> tuple[str, ...]:
    """The font faces that draw ``alphabet``.

    Raises:
        ValueError: there are no unseen faces of this alphabet.
    """
    if faces == "seen":
        return DEJAVU
    if alphabet not in UNSEEN:
        raise ValueError(f"faces must be seen for {alphabet}: there are unseen ones of {', '.join(UNSEEN)}")
    return UNSEEN[alphabet]
