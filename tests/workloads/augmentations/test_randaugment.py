"""RandAugment against Pillow's enhancements and torchvision's moves, one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torchvision.transforms import functional

from workloads.augmentations import _levels as level
from workloads.augmentations.randaugment import OPERATIONS, RandAugment, _settings, moved

#: Positive and negative changes of brightness and the like at this magnitude.
MAGNITUDE = 9
UP, DOWN = 1 + 0.9 * MAGNITUDE / 30, 1 - 0.9 * MAGNITUDE / 30


def pictures(channels=3, height=32, width=32, count=20):
    """Levels (N, C, H, W) of smooth pictures that do not use the whole range."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(20, 200, (count, channels, 5, 5), generator=generator).float()
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").round()


def to_pillow(levels):
    arrays = levels.to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(array.squeeze(2) if array.shape[2] == 1 else array) for array in arrays]


def from_pillow(picture):
    array = torch.from_numpy(np.array(picture)).float()
    return array[None] if array.ndim == 2 else array.permute(2, 0, 1)


def changed(name, levels, negative=False, magnitude=MAGNITUDE):
    chosen = torch.full((len(levels),), OPERATIONS.index(name))
    signs = torch.full((len(levels),), negative)
    return RandAugment(magnitude=magnitude, fill=0.0)._changed(levels, chosen, signs)


REFERENCES = {
    "identity": lambda picture, factor: picture,
    "brightness": lambda picture, factor: ImageEnhance.Brightness(picture).enhance(factor),
    "contrast": lambda picture, factor: ImageEnhance.Contrast(picture).enhance(factor),
    "colour": lambda picture, factor: ImageEnhance.Color(picture).enhance(factor),
    "sharpness": lambda picture, factor: ImageEnhance.Sharpness(picture).enhance(factor),
    "posterize": lambda picture, factor: ImageOps.posterize(picture, 7),
    "solarize": lambda picture, factor: ImageOps.solarize(picture, 178.5),
    "autocontrast": lambda picture, factor: ImageOps.autocontrast(picture),
    "equalize": lambda picture, factor: ImageOps.equalize(picture),
}


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", REFERENCES)
def test_an_operation_on_levels_is_that_of_pillow(name, channels, negative):
    levels = pictures(channels)
    levels[0] = 77  # a picture without contrast
    found = changed(name, levels, negative)
    factor = DOWN if negative else UP
    expected = torch.stack([from_pillow(REFERENCES[name](picture, factor)) for picture in to_pillow(levels)])
    apart = (found - expected).abs()
    assert apart.max() <= 1
    assert (apart > 0).float().mean() < 0.002  # a float that ends close to a whole number is cut either way
    assert (name == "identity" or (name, channels) == ("colour", 1)) == torch.equal(found, levels)


def test_every_operation_has_a_reference():
    moves = {"shear_x", "shear_y", "translate_x", "translate_y", "rotate"}
    assert set(OPERATIONS) == moves | set(REFERENCES)
    assert len(OPERATIONS) == 14


SLOPE = math.degrees(math.atan(0.3 * MAGNITUDE / 30))
MOVES = {
    "rotate": lambda bytes_, sign: functional.rotate(bytes_, sign * 30 * MAGNITUDE / 30),
    "shear_x": lambda bytes_, sign: functional.affine(bytes_, 0, [0, 0], 1, [sign * SLOPE, 0], center=[0, 0]),
    "shear_y": lambda bytes_, sign: functional.affine(bytes_, 0, [0, 0], 1, [0, sign * SLOPE], center=[0, 0]),
    "translate_x": lambda bytes_, sign: functional.affine(bytes_, 0, [sign * 4, 0], 1, [0, 0]),
    "translate_y": lambda bytes_, sign: functional.affine(bytes_, 0, [0, sign * 4], 1, [0, 0]),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_that_of_torchvision_in_one_direction_or_the_other(name):
    levels = pictures(height=32, width=32) + 1
    bytes_ = levels.to(torch.uint8)
    expected = {sign: MOVES[name](bytes_, sign).float() for sign in (1, -1)}
    found = [changed(name, levels, negative) for negative in (False, True)]
    shares = [[(one == other).float().mean().item() for other in expected.values()] for one in found]
    # Places half-way between two pixels may go to either.
    assert [max(share) > 0.985 for share in shares] == [True, True], shares
    assert [share.index(max(share)) for share in shares] in ([0, 1], [1, 0])


def test_what_comes_in_from_outside_is_the_fill():
    maps = torch.tensor([[1.0, 0, 2, 0, 1, 0]])
    found = moved(torch.arange(1, 13.0).view(1, 1, 3, 4), maps, 99)
    assert found[0, 0].tolist() == [[3, 4, 99, 99], [7, 8, 99, 99], [11, 12, 99, 99]]


def test_magnitude_zero_changes_no_geometry_and_no_brightness():
    levels = pictures()
    for name in ("shear_x", "shear_y", "translate_x", "translate_y", "rotate", "posterize"):
        assert torch.equal(changed(name, levels, magnitude=0), levels)
    for name in ("brightness", "contrast", "colour", "sharpness"):
        assert torch.equal(changed(name, levels, magnitude=0), levels)


def test_the_strongest_posterize_keeps_four_bits_and_solarize_inverts_all():
    levels = torch.arange(256.0).view(1, 1, 16, 16)
    assert torch.equal(changed("posterize", levels, magnitude=30), levels - levels % 16)
    assert torch.equal(changed("solarize", levels, magnitude=30), 255 - levels)
    assert torch.equal(changed("solarize", levels, magnitude=0)[levels < 255], levels[levels < 255])


def test_autocontrast_stretches_each_channel_to_the_whole_range():
    levels = torch.tensor([[[[50.0, 100], [150, 150]], [[7, 7], [7, 7]]]])
    assert changed("autocontrast", levels).tolist() == [[[[0, 127], [255, 255]], [[7, 7], [7, 7]]]]


def test_equalize_of_an_even_histogram_changes_nothing():
    levels = torch.arange(256.0).repeat(4).view(1, 1, 32, 32)
    assert (changed("equalize", levels) - levels).abs().max() <= 1


def test_sharpness_smooths_towards_the_mean_of_the_neighbours():
    levels = torch.zeros(1, 1, 3, 3)
    levels[0, 0, 1, 1] = 130
    assert level.smoothed(levels)[0, 0].tolist() == [[0, 0, 0], [0, 50, 0], [0, 0, 0]]
    assert torch.equal(level.smoothed(levels[..., :2]), levels[..., :2])


def test_all_operations_in_both_directions_are_drawn():
    levels = pictures(count=1)
    samples = torch.arange(2000)
    images = (levels / 255).expand(len(samples), -1, -1, -1)
    found, _ = RandAugment(operations=1, fill=0.0).augment(images, samples, samples, 0, 1)
    seen = {image.mul(255).round().to(torch.uint8).numpy().tobytes() for image in found}
    expected = {
        changed(name, levels, negative).to(torch.uint8).numpy().tobytes()
        for name in OPERATIONS
        for negative in (False, True)
    }
    assert seen == expected


def test_the_settings_of_a_device_are_made_once():
    assert _settings(9, 32, 32, "cpu") is _settings(9, 32, 32, "cpu")
