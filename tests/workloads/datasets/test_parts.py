"""The fixed part of training images that validates."""

from __future__ import annotations

import pytest
import torch

from workloads.datasets._parts import mixed, part_of, parted
from workloads.datasets.base import Split


def test_every_class_gives_its_share_and_nothing_is_lost():
    labels = torch.arange(1000) % 10
    stays, held = parted(labels, 100)
    assert labels[held].bincount().tolist() == [10] * 10
    assert sorted([*stays.tolist(), *held.tolist()]) == list(range(1000))
    assert torch.equal(stays, stays.sort().values)
    assert torch.equal(held, held.sort().values)


def test_large_classes_give_more():
    labels = torch.tensor([0] * 300 + [1] * 60 + [2] * 40)
    _, held = parted(labels, 40)
    assert labels[held].bincount().tolist() == [30, 6, 4]


def test_a_number_that_is_no_share_of_every_class_is_met_as_nearly_as_can_be():
    labels = torch.arange(103) % 10
    _, held = parted(labels, 17)
    assert len(held) == 17
    assert set(labels[held].bincount().tolist()) == {1, 2}


def test_the_part_is_drawn_from_the_seed_and_not_from_the_order_of_files():
    labels = torch.arange(200) % 2
    first, again, other = (parted(labels, 20, seed)[1].tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert max(first) > 100 > min(first)


def test_the_parts_never_change():
    _, held = parted(torch.arange(60) % 3, 9)
    assert held.tolist() == [6, 14, 16, 20, 23, 27, 51, 52, 58]
    assert mixed(8).tolist() == [6, 0, 4, 3, 2, 7, 1, 5]


def test_parts_are_the_images_at_their_positions():
    images = torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1)
    train = Split(images, torch.arange(20) % 2)
    parts = [part_of(train, split, 6) for split in ("train", "validation")]
    assert [len(part) for part in parts] == [14, 6]
    assert all(torch.equal(part.images.flatten() % 2, part.labels) for part in parts)
    assert sorted(torch.cat([part.images.flatten() for part in parts]).tolist()) == list(range(20))


@pytest.mark.parametrize("count", [-1, 0, 10, 11])
def test_both_parts_have_images(count):
    with pytest.raises(ValueError, match=f"between 0 and all 10 training images, got {count}"):
        parted(torch.zeros(10, dtype=torch.int64), count)
