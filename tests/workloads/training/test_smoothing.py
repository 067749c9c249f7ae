"""Votes under noise: against the closed form of a linear classifier, and their seeding."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from workloads.architectures.base import Network
from workloads.architectures.mlp import Mlp
from workloads.metrics.certificates import certified_radii
from workloads.training.evaluation import BATCH
from workloads.training.smoothing import answers

SIGMA, DRAWS = 0.3, 20_000


@pytest.fixture(scope="module")
def linear():
    """Two classes parted by a plane at a known distance from each image."""
    network = Network(nn.Sequential(nn.Flatten()), nn.Linear(4, 2), (1, 2, 2), 2)
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor([[1.0, 2.0, -1.0, 0.5], [0.0, 0.0, 0.0, 0.0]]))
        network.head.bias.copy_(torch.tensor([-1.0, 0.0]))
    return network.eval()


def votes(network, image, place=0, draws=DRAWS, seed=0):
    return answers(network, image, torch.tensor([place]), draws, sigma=SIGMA, seed=seed)


@pytest.mark.parametrize("levels", [(255, 128, 0, 77), (153, 115, 0, 51), (0, 51, 204, 26)])
def test_the_vote_and_the_radius_of_a_linear_classifier_have_a_closed_form(linear, levels):
    image = torch.tensor(levels, dtype=torch.uint8).view(1, 1, 2, 2)
    direction = linear.head.weight[0].detach().double()
    distance = (direction @ (image.flatten().double() / 255) - 1) / direction.norm()
    chance = torch.special.ndtr(distance / SIGMA)
    found = (votes(linear, image) == 0).double().mean()
    assert abs(found - chance) < 4 * (chance * (1 - chance) / DRAWS).sqrt()
    # The certificate of the true chance would be the distance itself; what is certified stays just below.
    hits = (votes(linear, image) == int(distance < 0)).sum()
    radius = certified_radii(hits[None], DRAWS, SIGMA, 0.001).item()
    assert 0.9 * distance.abs() < radius <= distance.abs()


def test_more_draws_begin_with_the_same_answers(linear):
    image = torch.full((1, 1, 2, 2), 100, dtype=torch.uint8)
    assert torch.equal(
        votes(linear, image, draws=BATCH + 40)[: BATCH - 3], votes(linear, image, draws=BATCH - 3)
    )
    found = votes(linear, image, draws=2 * BATCH)
    assert not torch.equal(found[:BATCH], found[BATCH:])
    assert not torch.equal(votes(linear, image, draws=99), votes(linear, image, draws=99, place=1))
    assert not torch.equal(votes(linear, image, draws=99), votes(linear, image, draws=99, seed=1))


def test_only_known_classes_are_voted_for():
    network = Mlp(hidden=(5,), unknown_outputs=1).network((1, 2, 2), 2, 0).eval()
    with torch.no_grad():
        network.head.bias.copy_(torch.tensor([0.0, 1.0, 100.0]))
    assert votes(network, torch.zeros(1, 1, 2, 2, dtype=torch.uint8), draws=9).max() == 1
