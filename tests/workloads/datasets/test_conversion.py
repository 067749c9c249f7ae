from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from workloads.datasets._conversion import CHUNK, digest_of, seen_by
from workloads.datasets.base import Split
from workloads.randomness import uniform


def random_bytes(*shape: int) -> torch.Tensor:
    return uniform(0, torch.arange(shape[0]), shape[1:]).mul(256).to(torch.uint8)


def resized_by_pillow(image: torch.Tensor, height: int, width: int) -> np.ndarray:
    """Pillow's bilinear resize, which is antialiased, channel by channel."""
    return np.stack(
        [
            np.asarray(Image.fromarray(plane.numpy()).resize((width, height), Image.Resampling.BILINEAR))
            for plane in image
        ]
    )


@pytest.mark.parametrize("side", [8, 20, 48])
def test_resizing_agrees_with_pillow_to_one_grey_level(side) -> None:
    images = random_bytes(3, 3, 32, 32)
    found = seen_by(images, (3, side, side + 4))
    for image, original in zip(found, images, strict=True):
        expected = resized_by_pillow(original, side, side + 4).astype(int)
        assert np.abs(image.numpy().astype(int) - expected).max() <= 1


def test_shrinking_averages_instead_of_picking_pixels() -> None:
    board = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8).repeat(16, 16)[None, None]
    assert (seen_by(board, (1, 8, 8)).int() - 127.5).abs().max() < 8


def test_grey_is_the_luma_of_itu_r_601() -> None:
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 20, 30]])
    images = colours.to(torch.uint8)[:, :, None, None].expand(-1, 3, 2, 2)
    assert seen_by(images, (1, 2, 2))[:, 0, 0, 0].tolist() == [76, 150, 29, 255, 18]


def test_grey_into_colour_repeats_the_grey() -> None:
    images = random_bytes(4, 1, 8, 8)
    assert torch.equal(seen_by(images, (3, 8, 8)), images.expand(-1, 3, -1, -1))


def test_images_of_the_right_shape_are_passed_on_as_they_are() -> None:
    images = random_bytes(4, 3, 8, 8)
    assert seen_by(images, (3, 8, 8)) is images


def test_a_flat_image_stays_flat() -> None:
    images = torch.full((1, 1, 13, 7), 200, dtype=torch.uint8)
    assert (seen_by(images, (3, 32, 32)) == 200).all()


def test_how_many_images_come_at_once_changes_none_of_them() -> None:
    images = random_bytes(CHUNK + 3, 1, 4, 4)
    together = seen_by(images, (3, 6, 6))
    assert len(together) == CHUNK + 3
    assert torch.equal(together[-5:], seen_by(images[-5:], (3, 6, 6)))


def test_no_images_stay_no_images() -> None:
    assert seen_by(random_bytes(1, 1, 8, 8)[:0], (3, 4, 4)).shape == (0, 3, 4, 4)


def test_channels_that_are_neither_grey_nor_colour_are_refused() -> None:
    with pytest.raises(ValueError, match="not from 2 into 3"):
        seen_by(random_bytes(1, 2, 8, 8), (3, 8, 8))


def test_the_digest_changes_with_a_pixel_a_label_the_shape_and_the_order() -> None:
    images, labels = random_bytes(2, 1, 2, 2), torch.tensor([0, 1])
    brighter, other = images.clone(), torch.tensor([0, 2])
    brighter[0, 0, 0, 0] ^= 1
    splits = [
        (Split(images, labels),),
        (Split(brighter, labels),),
        (Split(images, other),),
        (Split(images.view(2, 1, 1, 4), labels),),
        (Split(images.flip(0), labels.flip(0)),),
        (Split(images[:1], labels[:1]), Split(images[1:], labels[1:])),
    ]
    assert len({digest_of(*each) for each in splits}) == len(splits)


def test_the_digest_does_not_see_how_the_memory_lies() -> None:
    images = random_bytes(4, 3, 2, 2)
    last = images.contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(4, dtype=torch.int64)
    assert digest_of(Split(images, labels)) == digest_of(Split(last, labels))
