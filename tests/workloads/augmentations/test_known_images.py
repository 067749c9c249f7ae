"""Augmented images that can be checked in the head."""

from __future__ import annotations

import pytest
import torch
from scipy.special import betaincinv
from torch.nn.functional import pad

from workloads.augmentations import crop_flip, cutmix, cutout
from workloads.augmentations._mixing import partners, strengths
from workloads.augmentations._pixels import whole
from workloads.augmentations.crop_flip import CropFlip
from workloads.augmentations.cutmix import CutMix
from workloads.augmentations.cutout import Cutout
from workloads.augmentations.mixup import Mixup
from workloads.randomness import uniform

MANY = torch.arange(4000)
ONE = torch.zeros(1, dtype=torch.int64)
COUNTING = torch.arange(16.0).view(1, 1, 4, 4) / 15


def drawing(monkeypatch, module, *numbers):
    """Let ``module`` draw ``numbers`` for every sample."""
    monkeypatch.setattr(module, "uniform", lambda seed, samples, shape: torch.tensor([numbers]))


def shown(augmentation, images):
    return augmentation.augment(images, ONE, ONE, 0, 1)[0]


def test_a_crop_in_the_middle_without_flip_is_the_image(monkeypatch):
    drawing(monkeypatch, crop_flip, 0.5, 0.5, 0.99)  # the middle of 0, 1, 2
    assert torch.equal(shown(CropFlip(padding=1), COUNTING), COUNTING)


def test_a_mirror_image_runs_from_right_to_left(monkeypatch):
    drawing(monkeypatch, crop_flip, 0.5, 0.5, 0.49)
    assert torch.equal(shown(CropFlip(padding=1), COUNTING), COUNTING.flip(3))


def test_a_crop_at_the_upper_left_moves_the_image_down_and_right_on_black(monkeypatch):
    drawing(monkeypatch, crop_flip, 0.0, 0.0, 0.99)
    moved = shown(CropFlip(padding=1), COUNTING)
    assert not moved[..., 0, :].any()
    assert not moved[..., :, 0].any()
    assert torch.equal(moved[..., 1:, 1:], COUNTING[..., :-1, :-1])


def test_a_crop_is_an_image_of_the_padded_one_and_every_one_is_drawn_evenly():
    images = COUNTING.expand(len(MANY), -1, -1, -1) + 0.01
    found, _ = CropFlip(padding=1).augment(images, MANY, MANY, 0, 1)
    padded = pad(images[:1], (1, 1, 1, 1))
    crops = [padded[..., y : y + 4, x : x + 4] for y in range(3) for x in range(3)]
    crops += [crop.flip(3) for crop in crops]
    counts = torch.stack([(found == crop).all(3).all(2).all(1).sum() for crop in crops])
    assert counts.sum() == len(MANY)
    assert ((counts - len(MANY) / 18) ** 2 / (len(MANY) / 18)).sum() < 40.8  # chi squared, one in a thousand


def test_padding_is_an_eighth_of_the_side(monkeypatch):
    drawing(monkeypatch, crop_flip, 0.0, 0.0, 0.99)
    for side, padding in ((32, 4), (28, 3), (8, 1), (4, 0)):
        black = shown(CropFlip(), torch.ones(1, 1, side, side)) == 0
        assert black[0, 0].all(1).sum() == padding


def test_without_flip_no_image_is_mirrored():
    images = COUNTING.expand(100, -1, -1, -1)
    found, _ = CropFlip(padding=0, flip=0.0).augment(images, MANY[:100], MANY[:100], 0, 1)
    assert torch.equal(found, images)


def test_cutout_covers_a_square_around_the_centre_that_may_stick_out(monkeypatch):
    drawing(monkeypatch, cutout, 0.5, 0.0)  # row 2, column 0
    found = shown(Cutout(size=2, fill=0.25), COUNTING)
    expected = COUNTING.clone()
    expected[..., 1:3, 0] = 0.25
    assert torch.equal(found, expected)


def test_cutout_covers_half_of_the_side_unless_told(monkeypatch):
    drawing(monkeypatch, cutout, 0.5, 0.5)
    assert (shown(Cutout(fill=0.0), torch.ones(1, 3, 32, 32)) == 0).sum() == 3 * 16 * 16


def test_mixup_is_the_same_blend_of_images_and_labels():
    samples, labels = torch.arange(6), torch.tensor([0, 1, 2, 0, 1, 2])
    images = torch.rand(6, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    found, targets = Mixup(alpha=0.4).augment(images, labels, samples, 9, 3)
    other, own = partners(9, samples).tolist(), strengths(0.4, 9, samples).tolist()
    for place in range(6):
        share = own[place]
        blend = share * images[place] + (1 - share) * images[other[place]]
        assert torch.allclose(found[place], blend)
        expected = torch.zeros(3)
        expected[labels[place]] += share
        expected[labels[other[place]]] += 1 - share
        assert torch.allclose(targets[place], expected)


def test_cutmix_pastes_a_box_whose_area_is_the_label_of_the_other(monkeypatch):
    monkeypatch.setattr(cutmix, "strengths", lambda alpha, seed, samples: torch.full((2,), 0.75))
    drawing(monkeypatch, cutmix, 0.0, 0.5, 0.0)  # centre at row 0, column 4; the box has half the side
    images = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 1, 8, 8)
    found, targets = CutMix().augment(images, torch.tensor([0, 1]), torch.tensor([0, 1]), 0, 2)
    expected = torch.zeros(8, 8)
    expected[0:2, 2:6] = 1  # rows -2 to 1, of which two are outside
    assert torch.equal(found[0, 0], expected)
    assert torch.equal(found[1, 0], 1 - expected)
    assert targets.tolist() == [[1 - 8 / 64, 8 / 64], [8 / 64, 1 - 8 / 64]]


def test_cutmix_leaves_as_many_images_alone_as_it_is_told():
    images, labels = torch.zeros(1000, 1, 32, 32), torch.arange(1000)
    _, targets = CutMix(probability=0.3).augment(images, labels, MANY[:1000], 0, 1000)
    # Three deviations; of the boxes 1.5 % are less than two pixels wide.
    assert (targets.amax(1) == 1).float().mean().item() == pytest.approx(0.7, abs=0.044)
    _, targets = CutMix(probability=0.0).augment(images, labels, MANY[:1000], 0, 1000)
    assert (targets.amax(1) == 1).all()


def test_partners_stand_on_one_circle_through_all_images():
    for count in (1, 2, 3, 50):
        following = partners(0, MANY[:count]).tolist()
        place, seen = 0, []
        for _ in range(count):
            seen.append(place)
            place = following[place]
        assert sorted(seen) == list(range(count))
        assert place == 0


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 4.0])
def test_strengths_follow_the_beta_distribution(alpha, monkeypatch):
    from workloads.augmentations import _mixing

    drawn = uniform(1, MANY, ())
    monkeypatch.setattr(_mixing, "uniform", lambda seed, samples, shape: drawn)
    expected = torch.from_numpy(betaincinv(alpha, alpha, drawn.double().numpy()))
    assert (strengths(alpha, 0, MANY).double() - expected).abs().max() < 1e-3


def test_whole_numbers_never_reach_their_end():
    largest = torch.tensor([1 - 2.0**-24])
    assert all(whole(largest, count).item() == count - 1 for count in range(1, 3000))
    assert whole(torch.tensor([0.0, 0.5]), 9).tolist() == [0, 4]
