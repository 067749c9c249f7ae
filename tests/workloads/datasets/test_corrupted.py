"""Generated corruptions: their promises for every one of the fifteen, and against independent formulas."""

from __future__ import annotations

import colorsys
import io
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import poisson

from workloads.datasets._corruptions import Corruption
from workloads.datasets._corruptions_draws import Draws
from workloads.datasets._corruptions_made import SPOIL, spoiled
from workloads.datasets._corruptions_noise import shot_noise
from workloads.datasets._corruptions_optics import disk, softened, streaked
from workloads.datasets._corruptions_severities import SEVERITY, in_pixels
from workloads.datasets.corrupted import Corrupted
from workloads.datasets.digits import Digits
from workloads.datasets.textures import Textures

NAMES = get_args(Corruption)
SEVERITIES = range(1, 6)
#: Their last severities spoil in another way than the first, in CIFAR-10-C too.
UNEVEN = ("elastic_transform", "glass_blur")


@pytest.fixture(scope="module")
def images():
    """Colour photographs (24, 3, 32, 32)."""
    return Textures(count=24).load("test", None).images


def test_each_of_the_fifteen_has_five_severities():
    assert set(SPOIL) == set(SEVERITY) == set(NAMES)
    assert len(NAMES) == 15
    assert all(len(constants) == 5 for constants in SEVERITY.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_corruption_changes_images_more_where_it_is_more_severe(name, images):
    spoilt = [spoiled(images, name, severity, 0) for severity in SEVERITIES]
    assert all(one.dtype == torch.uint8 and one.shape == images.shape for one in spoilt)
    moved = [float((one.float() - images.float()).abs().mean()) for one in spoilt]
    assert all(0.5 < distance < 80 for distance in moved)
    if name not in UNEVEN:
        assert moved[0] < moved[2] < moved[4] or (name == "frost" and moved[0] < min(moved[1:]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 11), (1, 3, 2), (2, 5, 5), (3, 40, 33)], ids=str)
def test_a_corruption_takes_images_of_any_shape(name, shape):
    drawn = torch.arange(4 * shape[0] * shape[1] * shape[2]).mul(37).remainder(256).to(torch.uint8)
    for severity in (1, 5):
        found = spoiled(drawn.view(4, *shape), name, severity, 0)
        assert found.shape == (4, *shape)
        assert found.dtype == torch.uint8


@pytest.mark.parametrize("name", NAMES)
def test_what_is_drawn_for_an_image_depends_on_its_position_alone(name, images):
    severity = 3
    whole = spoiled(images, name, severity, 0)
    assert torch.equal(spoiled(images[:5], name, severity, 0), whole[:5])
    twice = images[:1].expand(6, -1, -1, -1)
    random = len(spoiled(twice, name, severity, 0).unique(dim=0)) > 1
    plain = ("brightness", "contrast", "defocus_blur", "jpeg_compression", "pixelate", "zoom_blur")
    assert random == (name not in plain)
    assert torch.equal(spoiled(images, name, severity, 1), whole) == (not random)


def test_many_images_are_spoiled_in_pieces_of_equal_result(images, monkeypatch):
    whole = [spoiled(images[:7], name, 2, 0) for name in NAMES]
    monkeypatch.setattr("workloads.datasets._corruptions_made.PIECE", 3 * 3 * 32 * 32)
    assert all(
        torch.equal(spoiled(images[:7], name, 2, 0), one) for name, one in zip(NAMES, whole, strict=True)
    )


def test_the_constants_fit_the_size_from_32_pixels_on():
    sizes = [in_pixels(2.0, torch.zeros(1, 1, side, side + 5)) for side in (8, 32, 64)]
    assert sizes == [2, 2, 4]


def test_contrast_and_brightness_by_hand():
    image = torch.tensor([[0, 100], [100, 200]], dtype=torch.uint8).view(1, 1, 2, 2)
    assert spoiled(image, "contrast", 2, 0).flatten().tolist() == [50, 100, 100, 150]
    assert spoiled(image, "brightness", 4, 0).flatten().tolist() == [51, 151, 151, 251]


def test_brightness_raises_the_value_of_the_colour(images):
    found = spoiled(images[:1], "brightness", 3, 0)[0].flatten(1).T
    for before, after in zip(images[0].flatten(1).T[::50].tolist(), found[::50].tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(level / 255 for level in before))
        expected = colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.15))
        assert after == pytest.approx([255 * level for level in expected], abs=0.51)


def test_the_gaussian_is_that_of_scipy(images):
    clean = images[:2].double() / 255
    expected = gaussian_filter(clean.numpy(), (0, 0, 1.3, 1.3), mode="nearest", truncate=4)
    assert np.allclose(softened(clean, 1.3).numpy(), expected)


def test_the_disk_is_a_plus_at_radius_one_and_a_box_at_one_and_a_half():
    plus, box = (disk(radius, 1e-3) for radius in (1, 1.5))
    assert plus[1:4, 1:4].tolist() == [[0, 0.2, 0], [0.2, 0.2, 0.2], [0, 0.2, 0]]
    assert torch.allclose(box[2:5, 2:5], torch.full((3, 3), 1 / 9, dtype=torch.float64))
    assert disk(0.3, 0.4).sum() == pytest.approx(1)


def test_a_streak_runs_one_way():
    image = torch.zeros(2, 1, 9, 9)
    image[:, :, 4, 4] = 1
    weights = np.exp(-0.5 * np.arange(5) ** 2 / 4)
    found = streaked(image, torch.tensor([0.0, 90.0]), 2, 2.0)
    expected = (weights / weights.sum())[::-1]
    assert found[0, 0, 4, :5].tolist() == pytest.approx(expected.tolist())
    assert found[1, 0, :5, 4].tolist() == pytest.approx(expected.tolist())
    assert found.sum() == pytest.approx(2)


@pytest.mark.parametrize("photons", [500, 50])
def test_shot_noise_has_the_quantiles_of_poisson(photons):
    levels = torch.tensor([0, 1, 60, 200, 255], dtype=torch.uint8)
    image = (levels.float() / 255).view(1, 1, 5, 1).expand(1, 1, 5, 40).contiguous()
    draws = Draws(7, torch.zeros(1))
    found = shot_noise(image, draws, photons) * photons
    chances = draws.uniform("photons", 1, 5, 40).double().numpy()
    rates = levels.double().numpy()[:, None] * photons / 255
    assert np.array_equal(found[0, 0].round().numpy(), poisson.ppf(chances[0, 0], rates).clip(min=0))


@pytest.mark.parametrize(("severity", "share"), [(1, 0.01), (5, 0.07)])
def test_noise_has_the_strength_of_its_severity(severity, share):
    grey = torch.full((60, 1, 32, 32), 128, dtype=torch.uint8)
    found = spoiled(grey, "impulse_noise", severity, 0)
    for level in (0, 255):
        assert (found == level).double().mean().item() == pytest.approx(share / 2, rel=0.15)
    spread = spoiled(grey, "gaussian_noise", severity, 0).double().std().item() / 255
    assert spread == pytest.approx(SEVERITY["gaussian_noise"][severity - 1][0], rel=0.02)


def test_pixels_and_jpeg_are_those_of_pillow(images):
    picture = Image.fromarray(images[0].permute(1, 2, 0).numpy())
    small = picture.resize((20, 20), Image.Resampling.BOX).resize((32, 32), Image.Resampling.BOX)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=40)
    for name, expected in (("pixelate", small), ("jpeg_compression", Image.open(file))):
        found = spoiled(images[:1], name, 5, 0)[0].permute(1, 2, 0).numpy()
        assert np.array_equal(found, np.asarray(expected))


def test_glass_moves_pixels_and_makes_none():
    image = torch.arange(64, dtype=torch.uint8).mul(4).view(1, 1, 8, 8)
    found = spoiled(image, "glass_blur", 1, 0)
    assert sorted(found.flatten().tolist()) == image.flatten().tolist()
    assert not torch.equal(found, image)


@pytest.mark.usefixtures("empty_root")
def test_a_corrupted_set_is_the_other_set_spoiled():
    clean, set_ = Digits(keep=(3, 8)), Corrupted(Digits(keep=(3, 8)), "fog", 3)
    assert (set_.classes, set_.concepts) == (clean.classes, clean.concepts)
    for split in ("train", "validation", "test"):
        found, before = set_.load(split, None), clean.load(split, None)
        assert torch.equal(found.labels, before.labels)
        assert (found.images != before.images).flatten(1).any(1).all()
    other = Corrupted(Digits(keep=(3, 8)), "fog", 3, seed=1).load("test", None)
    assert not torch.equal(other.images, set_.load("test", None).images)


@pytest.mark.usefixtures("empty_root")
def test_sets_of_other_content_are_kept_apart():
    few, all_ = (Corrupted(digits, "snow", 1).load("test", None) for digits in (Digits(keep=(1,)), Digits()))
    assert (len(few), len(all_)) == (40, 400)


def test_a_severity_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="severity must be one of 1 to 5, got 6"):
        Corrupted(Digits(), "fog", 6)
