from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from workloads.datasets import glyphs as module
from workloads.datasets._conversion import digest_of
from workloads.datasets._glyphs_alphabets import ALPHABETS
from workloads.datasets._glyphs_rendering import Style, render
from workloads.datasets._root import VARIABLE
from workloads.datasets.glyphs import Glyphs

pytestmark = pytest.mark.usefixtures("drawn_once")

SPLITS = ("train", "validation", "test")
LATIN = Glyphs(per_class=48, held_out=24)
FEW = Glyphs(alphabet="digits", per_class=24, held_out=12)
STILL = replace(FEW, jitter=0, noise=0, clutter=0)
DIGEST = "d697761a736797c44498e3dde47704e2083b29e98f016837a1d66f50bb805d01"
SHOW = """
import sys
from workloads.datasets._conversion import digest_of
from workloads.datasets.glyphs import Glyphs
few = Glyphs(alphabet="digits", per_class=24, held_out=12)
print(digest_of(*(few.load(split, None) for split in ("train", "validation", "test"))))
print(sorted(name for name in sys.modules if name.startswith("matplotlib")))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def drawn_once(root, monkeypatch):
    """A data root that the tests of this file share."""
    monkeypatch.setenv(VARIABLE, str(root))


def rows(images):
    return {image.numpy().tobytes() for image in images}


def without_levels(images):
    """Images stretched to the whole range, light on dark."""
    low, high = (images.double().flatten(1).quantile(end, dim=1)[:, None, None, None] for end in (0, 1))
    stretched = (images - low) / (high - low)
    dark = stretched[:, :, :2].flatten(1).median(dim=1).values > 0.5
    return torch.where(dark[:, None, None, None], 1 - stretched, stretched)


def test_latin_has_the_letters_of_emnists_by_merge() -> None:
    assert LATIN.classes == 37
    assert (Glyphs().per_class, Glyphs().held_out) == (240, 96)
    for split, count in zip(SPLITS, (48, 24, 24), strict=True):
        assert LATIN.load(split, None).labels.bincount().tolist() == [count] * 37


@pytest.mark.parametrize(("size", "colour", "shape"), [(16, False, (1, 16, 16)), (32, True, (3, 32, 32))])
def test_images_have_the_size_and_channels_that_were_asked_for(size, colour, shape) -> None:
    assert replace(FEW, size=size, colour=colour).load("test", None).images.shape == (120, *shape)


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_every_character_in_every_face_equally_often(split) -> None:
    letters = module.classes_of("latin", None)
    which, labels, samples = LATIN._places(letters, 12, LATIN._count(split))
    expected = [
        LATIN._count(split) // (12 * len(letter)) for letter in letters for _ in range(12 * len(letter))
    ]
    assert which.bincount().tolist() == expected
    assert len(samples.unique()) == len(samples)
    ends = torch.tensor([len(letter) * 12 for letter in letters]).cumsum(0)
    assert torch.equal(torch.bucketize(which, ends, right=True), labels)


def test_no_image_comes_twice_in_or_across_splits() -> None:
    images = [LATIN.load(split, None).images for split in SPLITS]
    assert len(set.union(*map(rows, images))) == sum(map(len, images))


def test_another_process_draws_the_same_bytes_and_does_without_matplotlib(tmp_path) -> None:
    env = {**os.environ, "PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1", VARIABLE: str(tmp_path)}
    shown = subprocess.run([sys.executable, "-c", SHOW], env=env, capture_output=True, text=True, check=True)
    digest, imported = shown.stdout.splitlines()
    assert digest == digest_of(*(FEW.load(split, None) for split in SPLITS))
    assert imported == "[]"


def test_glyphs_never_change() -> None:
    colour = Glyphs(alphabet="greek", size=32, colour=True, per_class=1, held_out=2)
    drawn = [FEW.load(split, None) for split in SPLITS] + [colour.load("test", None)]
    assert digest_of(*drawn) == DIGEST, "other versions of Pillow or the fonts than in constraints.txt?"


def test_more_images_keep_the_first_and_leave_the_other_splits_alone() -> None:
    more = replace(FEW, per_class=36)
    assert rows(FEW.load("train", None).images) < rows(more.load("train", None).images)
    assert torch.equal(FEW.load("test", None).images, more.load("test", None).images)


def test_another_seed_gives_other_images() -> None:
    assert not rows(FEW.load("test", None).images) & rows(replace(FEW, seed=1).load("test", None).images)


def test_without_jitter_noise_and_clutter_images_of_a_drawing_differ_in_their_levels_alone() -> None:
    train, test = STILL.load("train", None), STILL.load("test", None)
    which = STILL._places(module.classes_of("digits", None), 12, 24)[0]
    assert len(rows(train.images)) == len(train)
    for drawing in range(12):
        first, second = without_levels(train.images[which == drawing])
        assert (first - second).abs().max() < 0.03  # rounded to 255 levels, of which the contrast is a part
    assert len(test) == 120


@pytest.mark.parametrize("knob", ["jitter", "noise", "clutter"])
def test_every_knob_changes_images_and_more_of_it_changes_them_more(knob) -> None:
    still, some, much = (
        replace(STILL, **{knob: amount}).load("test", None).images.double() for amount in (0, 0.2, 1.5)
    )
    assert 0 < (some - still).abs().mean() < (much - still).abs().mean()


def test_alphabets_differ_in_nothing_but_the_character() -> None:
    drawings = -torch.ones(2, 96, 96)
    drawings[0, 20:76, 43:53], drawings[1, 43:53, 20:76] = 0.1, 0.1
    samples = torch.arange(50)
    style = Style(size=16, channels=3, jitter=0, noise=1, clutter=1)
    upright, lying = (render(drawings, torch.full((50,), which), samples, 0, style) for which in (0, 1))
    assert torch.equal(upright[..., :2, :2], lying[..., :2, :2])
    assert (upright != lying).flatten(1).any(dim=1).all()


def test_a_colour_has_the_luma_of_its_grey() -> None:
    grey, colour = (replace(STILL, colour=on).load("test", None).images.double() for on in (False, True))
    luma = (colour * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=1, keepdim=True)
    whole = ((colour > 0) & (colour < 255)).all(dim=1, keepdim=True)
    assert whole.double().mean() > 0.3
    assert (luma - grey)[whole].abs().max() <= 1.01  # both are rounded
    assert (colour.amax(dim=1) - colour.amin(dim=1)).mean() > 40


def test_ink_is_light_on_dark_as_often_as_dark_on_light() -> None:
    images = LATIN.load("train", None).images.double()
    rim = torch.cat([images[..., :2, :].flatten(1), images[..., -2:, :].flatten(1)], dim=1).mean(dim=1)
    assert (rim < images[..., 4:12, 4:12].flatten(1).mean(dim=1)).double().mean() == pytest.approx(
        0.5, abs=0.05
    )


def test_labels_are_those_of_the_characters() -> None:
    easy = Glyphs(alphabet="digits", jitter=0.3, noise=0.2, clutter=0, per_class=48, held_out=24)
    train, test = easy.load("train", None), easy.load("test", None)
    known, asked = (without_levels(split.images).flatten(1) for split in (train, test))
    nearest = train.labels[torch.cdist(asked, known).argmin(dim=1)]
    assert (nearest == test.labels).double().mean() > 0.9


def test_unseen_faces_draw_the_same_classes_differently() -> None:
    seen, unseen = replace(STILL, held_out=18), replace(STILL, held_out=18, faces="unseen")
    assert seen.classes == unseen.classes
    known, asked = (without_levels(one.load("test", None).images).flatten(1) for one in (seen, unseen))
    assert torch.cdist(asked, known).amin(dim=1).min() > 0.3  # no face is one of the seen ones


@pytest.mark.parametrize("alphabet", ["armenian", "georgian", "symbols"])
def test_unseen_faces_of_an_alphabet_that_has_none_are_refused(alphabet) -> None:
    with pytest.raises(
        ValueError,
        match=f"faces must be seen for {alphabet}: there are unseen ones of latin, digits, greek, cyrillic",
    ):
        Glyphs(alphabet=alphabet, faces="unseen")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"alphabet": "greek", "unlike": "greek"}, "unlike must be another alphabet than greek"),
        ({"per_class": 0}, r"per_class must be in \[1, 1048576\], got 0"),
        ({"held_out": 2**21}, r"held_out must be in \[1, 1048576\], got 2097152"),
        ({"jitter": -0.1}, r"jitter must be in \[0, 2\], got -0.1"),
        ({"noise": 3.0}, r"noise must be in \[0, 2\], got 3.0"),
        ({"clutter": float("nan")}, r"clutter must be in \[0, 2\], got nan"),
    ],
)
def test_fields_out_of_range_are_refused(fields, message) -> None:
    with pytest.raises(ValueError, match=message):
        Glyphs(**fields)


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_every_alphabet_can_be_drawn(alphabet) -> None:
    glyphs = Glyphs(alphabet=alphabet, held_out=1)
    assert glyphs.load("test", None).labels.sort().values.tolist() == list(range(glyphs.classes))


def test_images_are_drawn_once_and_then_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    drawn = FEW.load("test", None)
    monkeypatch.setattr(module, "render", None)
    read = FEW.load("test", None)
    assert torch.equal(drawn.images, read.images)
    assert torch.equal(drawn.labels, read.labels)
    assert drawn.digest == read.digest == digest_of(replace(read, digest=""))


@pytest.mark.parametrize("spoil", ["flip", "cut", "empty"])
def test_a_damaged_file_is_drawn_anew(spoil, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    drawn = FEW.load("test", None)
    (file,) = tmp_path.rglob("*.safetensors")
    good = file.read_bytes()
    flipped = good[:-1] + bytes([good[-1] ^ 1])
    file.write_bytes({"flip": flipped, "cut": good[:-10], "empty": b""}[spoil])
    assert torch.equal(FEW.load("test", None).images, drawn.images)
    assert file.read_bytes() == good


def test_of_several_that_need_a_set_at_once_one_draws_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    drawn = []
    monkeypatch.setattr(module, "render", lambda *given: drawn.append(1) or render(*given))
    with ThreadPoolExecutor(4) as threads:
        digests = {found.digest for found in threads.map(lambda _: FEW.load("test", None), range(4))}
    assert len(drawn) == len(digests) == 1


def test_another_version_of_what_draws_is_another_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    FEW.load("test", None)
    monkeypatch.setattr(module, "drawn_by", lambda face: f"{face} drawn by something newer")
    FEW.load("test", None)
    assert len(list(tmp_path.rglob("digits-test-*.safetensors"))) == 2
