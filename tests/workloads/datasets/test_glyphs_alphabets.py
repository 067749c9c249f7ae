"""What the fonts have, and what looks alike across alphabets."""

from __future__ import annotations

import numpy as np
import pytest
from fontTools.ttLib import TTFont

from workloads.datasets._fonts import COMPUTER_MODERN, DEJAVU, STIX, _file, cover, distances
from workloads.datasets._glyphs_alphabets import ALPHABETS, LETTERS, classes_of, faces_of
from workloads.datasets._glyphs_likeness import ALIKE, likeness, look_alikes
from workloads.datasets._glyphs_look_alikes import LOOK_ALIKES
from workloads.datasets.glyphs import Glyphs

OTHERS = [alphabet for alphabet in ALPHABETS if alphabet not in ("latin", "digits")]


@pytest.mark.parametrize("face", (*DEJAVU, *STIX, *COMPUTER_MODERN))
def test_a_face_has_all_characters_of_its_alphabets(face) -> None:
    with TTFont(_file(face)) as font:
        has = {chr(code) for code in font.getBestCmap()}
    for alphabet in ALPHABETS:
        if face in DEJAVU or face in (faces_of(alphabet, "unseen") if alphabet not in OTHERS[2:] else ()):
            assert set("".join(LETTERS[alphabet])) <= has


def test_a_character_is_drawn_in_the_middle_with_its_longer_side_at_64_pixels() -> None:
    for covered in cover("lWo→", "DejaVuSerif"):
        rows, columns = (np.flatnonzero(covered.max(axis=axis)) for axis in (1, 0))
        height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        assert max(height, width) == 64
        assert abs((rows[0] + rows[-1]) - 95) <= 1
        assert abs((columns[0] + columns[-1]) - 95) <= 1
    tall, wide = cover("l→", "DejaVuSans")
    assert tall.any(axis=1).sum() > 4 * tall.any(axis=0).sum()
    assert wide.any(axis=0).sum() > wide.any(axis=1).sum()


def test_distances_to_a_disc_are_those_of_geometry() -> None:
    fine = np.hypot(*(np.mgrid[:960, :960] - 479.5)) < 205
    covered = fine.reshape(96, 10, 96, 10).mean(axis=(1, 3)).astype(np.float32)
    expected = 20.5 - np.hypot(*(np.mgrid[:96, :96] - 47.5))
    assert np.abs(distances(covered[None])[0] * 64 - expected).max() < 0.75


def test_the_classes_of_latin_are_those_of_by_merge() -> None:
    merged = {letter + letter.lower() for letter in "CIJKLMOPSUVWXYZ"}
    assert set(classes_of("latin", None)) == {*merged, *"ABDEFGHNQRTabdefghnqrt"}
    assert classes_of("digits", None) == tuple("0123456789")
    assert [len(LETTERS[alphabet]) for alphabet in OTHERS] == [24, 33, 38, 33, 53]


@pytest.mark.parametrize("alphabet", ALPHABETS)
@pytest.mark.parametrize("other", ["latin", "digits"])
def test_the_table_of_look_alikes_is_what_rendering_finds(alphabet, other) -> None:
    if alphabet != other:
        assert LOOK_ALIKES[alphabet, other] == look_alikes(alphabet, other)


@pytest.mark.parametrize(
    ("alphabet", "other", "alike"),
    [
        ("greek", "latin", "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοαν"),
        ("cyrillic", "latin", "АВЕКМНОРСТХаеорсух"),
        ("cyrillic", "digits", "Зз"),
        ("armenian", "latin", "ՍսՕօհոց"),
        ("symbols", "latin", "×∪"),
        ("digits", "latin", "01"),
        ("latin", "digits", "OIl"),
        ("latin", "greek", "ABEHKMNOPTXYZoavx"),
    ],
)
def test_homoglyphs_are_found(alphabet, other, alike) -> None:
    assert set(alike) <= set(LOOK_ALIKES[alphabet, other])


@pytest.mark.parametrize(
    ("alphabet", "own"),
    [("greek", "ΞΣΦΨβζλω"), ("cyrillic", "ЖЛФЦЩЫЮЯж"), ("georgian", "აბკლჟჭჰ"), ("symbols", "→☺♥$")],
)
def test_characters_of_an_alphabet_alone_stay(alphabet, own) -> None:
    assert set(own) <= set("".join(classes_of(alphabet, None)))


def test_a_character_is_like_itself_whatever_its_size_and_unlike_others() -> None:
    found = likeness("Oo8X", "OX", "DejaVuSans")
    assert found[0, 0] == pytest.approx(1, abs=1e-5)
    assert found[1, 0] > ALIKE
    assert found[2, 0] < ALIKE
    assert found[3, 0] < 0.5


@pytest.mark.parametrize("alphabet", OTHERS)
def test_other_alphabets_share_no_concept_with_latin_and_digits(alphabet) -> None:
    glyphs = Glyphs(alphabet=alphabet)
    assert glyphs.classes >= 10
    for known in (Glyphs(), Glyphs(alphabet="digits")):
        assert not glyphs.concepts & known.concepts


def test_digits_share_look_alikes_with_latin_until_they_are_left_out() -> None:
    word = "characters that digits and latin have alike (`unlike` leaves them out)"
    digits, latin = Glyphs(alphabet="digits"), Glyphs()
    assert digits.concepts & latin.concepts == {word}
    unlike = Glyphs(alphabet="digits", unlike="latin")
    assert unlike.classes == 6
    assert not unlike.concepts & latin.concepts
    assert digits.concepts >= set("0123456789")  # as other sets of digits say


def test_a_class_of_which_one_case_is_a_homoglyph_keeps_the_other() -> None:
    assert "Δ" in classes_of("greek", None)  # δ looks like 6
    assert "Δδ" in classes_of("greek", "latin")
    assert "Δδ" in LETTERS["greek"]
