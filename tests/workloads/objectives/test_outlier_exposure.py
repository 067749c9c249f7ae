"""Outlier exposure: a loss by hand, which images it takes, and what it refuses."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from workloads.architectures.mlp import Mlp
from workloads.datasets.digits import Digits
from workloads.datasets.glyphs import Glyphs
from workloads.datasets.noise import Noise
from workloads.objectives.awp import Awp
from workloads.objectives.base import Batch
from workloads.objectives.outlier_exposure import OutlierExposure

NOISE = Noise(count=50)


def batch_of(count=6, seed=7, epoch=1, epochs=10):
    images = torch.rand((count, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(count) % 10
    return Batch(images, labels, torch.arange(count), seed, epoch * 9, epochs * 9, epoch, epochs)


@pytest.fixture
def network():
    return Mlp(hidden=(5,)).network((1, 8, 8), 10, 0).train()


def exposed(**fields):
    return OutlierExposure(**{"dataset": NOISE, "split": "validation"} | fields)


def outliers(network, batch):
    """The images it takes from elsewhere, as it drew them."""
    seen = []

    class Watched:
        shape, classes = network.shape, network.classes

        def __call__(self, images):
            seen.append(images)
            return network(images)

    exposed().loss(Watched(), batch, {})
    return seen[0][len(batch.images) :]


def test_a_network_that_knows_nothing_has_one_and_a_half_times_the_loss_of_a_guess(network):
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.zero_()
    assert exposed().loss(network, batch_of(), {}).item() == pytest.approx(1.5 * math.log(10))


def test_the_loss_is_the_cross_entropy_and_that_of_outliers_with_equal_targets(network):
    batch = batch_of()
    away = outliers(network, batch)
    expected = cross_entropy(network(batch.images), batch.labels)
    expected += 2 * cross_entropy(network(away), torch.full((6, 10), 0.1))
    assert exposed(weight=2).loss(network, batch, {}).item() == pytest.approx(expected.item(), rel=1e-6)


def test_outliers_are_pixels_of_the_split_drawn_anew_in_each_step(network):
    first, again, later = (outliers(network, batch_of(seed=seed)) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    known = {image.numpy().tobytes() for image in NOISE.view("validation", (1, 8, 8)).images}
    assert all(image.mul(255).round().to(torch.uint8).numpy().tobytes() in known for image in first)


def test_they_come_after_a_tenth_of_the_training(network):
    plain = cross_entropy(network(batch_of().images), batch_of().labels).item()
    losses = [exposed().loss(network, batch_of(epoch=epoch), {}).item() for epoch in (0, 1)]
    assert losses[0] == plain < losses[1]
    at_once = dataclasses.replace(batch_of(epoch=0), epochs=10)
    assert exposed(begin=0).loss(network, at_once, {}).item() == losses[1]
    assert exposed(weight=0).loss(network, batch_of(), {}).item() == pytest.approx(plain, rel=1e-6)


def test_what_wraps_it_has_its_outliers():
    assert Awp(objective=exposed()).outliers == (NOISE, "validation")
    assert OutlierExposure(Glyphs(alphabet="greek")).outliers == (Glyphs(alphabet="greek"), "train")
    assert Awp().outliers is None


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"weight": -1}, "weight must not be negative, got -1"),
        ({"begin": 2}, r"begin is a fraction of the training in \[0, 1\], got 2"),
    ],
)
def test_settings_that_mean_nothing_are_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        OutlierExposure(Digits(), **fields)
