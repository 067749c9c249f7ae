"""Batches: every image at most once an epoch, in an order that belongs to the epoch."""

from __future__ import annotations

import pytest
import torch

from workloads.datasets._conversion import as_float
from workloads.datasets.base import Split
from workloads.training.batches import Batches, statistics


def split_of(count):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, 4, 4), dtype=torch.uint8, generator=generator)
    return Split(images, torch.arange(count) % 2)


def test_an_epoch_takes_whole_batches_of_different_images():
    order = Batches.of(split_of(25), 8, seed=0, device="cpu").order(0)
    assert order.shape == (3, 8)
    assert len(set(order.flatten().tolist())) == 24


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        return Batches.of(split_of(25), 8, seed, "cpu").order(epoch).tolist()

    torch.manual_seed(1)
    first = order(0, 0)
    torch.manual_seed(2)
    assert order(0, 0) == first
    assert order(0, 1) != first
    assert order(1, 0) != first


def test_what_an_epoch_leaves_out_comes_in_others():
    batches = Batches.of(split_of(25), 8, seed=0, device="cpu")
    assert {place for epoch in range(10) for place in batches.order(epoch).flatten().tolist()} == set(
        range(25)
    )


@pytest.mark.parametrize(
    ("count", "size", "shape"), [(5, 8, (1, 5)), (1, 8, (1, 1)), (8, 8, (1, 8)), (3, 1, (3, 1))]
)
def test_there_is_always_a_batch(count, size, shape):
    assert Batches.of(split_of(count), size, seed=0, device="cpu").order(0).shape == shape


def test_bytes_become_numbers_from_zero_to_one():
    assert as_float(torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)).tolist() == [
        [[[0, 0.20000000298023224, 1]]]
    ]


def test_numbers_stay_as_they_are_also_beyond_one():
    floats = torch.tensor([[[[0.25, 1, 255]]]])
    assert as_float(floats).tolist() == [[[[0.25, 1, 255]]]]
    assert floats.tolist() == [[[[0.25, 1, 255]]]]


def test_statistics_are_those_of_each_channel():
    images = split_of(50).images
    mean, std = statistics(images)
    scaled = images.double() / 255
    assert torch.allclose(mean.double(), scaled.mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(std.double(), scaled.std((0, 2, 3), correction=0), atol=1e-6)


def test_a_constant_channel_has_the_deviation_one():
    mean, std = statistics(torch.full((3, 1, 2, 2), 51, dtype=torch.uint8))
    assert mean.item() == pytest.approx(0.2)
    assert std.item() == 1


def test_a_replayed_batch_comes_again_and_again_and_each_image_once_a_pass():
    once, often = (Batches.of(split_of(25), 8, 0, "cpu", replays) for replays in (1, 3))
    taken = [batch.samples.tolist() for batch in often.steps(0, 18)]
    assert taken == [batch.samples.tolist() for batch in once.steps(0, 6) for _ in range(3)]
    assert [often.pass_of(step) for step in range(18)] == 9 * [0] + 9 * [1]
    assert often.per_epoch == once.per_epoch == 3


@pytest.mark.parametrize("first", [1, 8, 9, 10, 17])
def test_replays_go_on_where_they_were(first):
    batches = Batches.of(split_of(25), 8, 0, "cpu", 3)
    whole = [batch.samples.tolist() for batch in batches.steps(0, 18)]
    assert [batch.samples.tolist() for batch in batches.steps(first, 18)] == whole[first:]
