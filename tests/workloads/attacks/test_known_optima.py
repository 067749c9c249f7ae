"""A linear model, whose worst image can be written down, and what restarts keep."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from workloads.attacks._ascent import ascent, judged, odds
from workloads.attacks.base import Attack
from workloads.attacks.fgsm import Fgsm
from workloads.attacks.pgd import Pgd
from workloads.randomness import normal, uniform

SAMPLES = torch.arange(6)
LABELS = torch.tensor([0, 1, 0, 1, 0, 1])


class Linear(nn.Module):
    """Two classes with logits w.x and -w.x."""

    classes = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(1, torch.arange(1), (3, 4, 5))[0])
        self.seen: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(len(images))
        score = (images * self.weight).sum((1, 2, 3))
        return torch.stack([score, -score], 1)


def middle() -> Tensor:
    """Images far from the ends of the pixel range."""
    return 0.4 + 0.2 * uniform(0, SAMPLES, (3, 4, 5))


def worst_way(model: Linear) -> Tensor:
    """Down the weights for label 0 and up for label 1."""
    return torch.where(LABELS == 0, -1.0, 1.0)[:, None, None, None] * model.weight.detach()


@pytest.mark.parametrize(
    "attack",
    [Fgsm(epsilon=0.1), Pgd(epsilon=0.1), Pgd(epsilon=0.1, random_start=False), Pgd(epsilon=0.1, restarts=3)],
    ids=repr,
)
def test_linf_attacks_find_the_corner_of_the_ball(attack) -> None:
    model = Linear()
    found = attack(model, middle(), LABELS, SAMPLES, 0)
    assert torch.allclose(found, middle() + 0.1 * worst_way(model).sign(), atol=1e-6)


@pytest.mark.parametrize(
    "attack", [Fgsm(epsilon=0.3, norm="l2"), Pgd(epsilon=0.3, norm="l2", random_start=False)], ids=repr
)
def test_l2_attacks_go_straight_down_the_gradient(attack) -> None:
    model = Linear()
    found = attack(model, middle(), LABELS, SAMPLES, 0)
    expected = middle() + 0.3 * worst_way(model) / model.weight.norm()
    assert torch.allclose(found, expected, atol=1e-6)


def test_l2_pgd_finds_the_same_image_from_random_starts() -> None:
    model = Linear()
    found = Pgd(epsilon=0.3, norm="l2", steps=40, step=0.3)(model, middle(), LABELS, SAMPLES, 0)
    expected = middle() + 0.3 * worst_way(model) / model.weight.norm()
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("attack", [Fgsm(epsilon=0.3), Pgd(epsilon=0.3, steps=20)], ids=repr)
def test_the_corner_is_cut_off_at_the_range_of_pixels(attack) -> None:
    model = Linear()
    images = uniform(0, SAMPLES, (3, 4, 5))
    found = attack(model, images, LABELS, SAMPLES, 0)
    assert torch.allclose(found, (images + 0.3 * worst_way(model).sign()).clamp(0, 1), atol=1e-6)


def test_one_step_without_a_random_start_is_fgsm(trained, tested) -> None:
    pgd = Pgd(epsilon=0.1, steps=1, step=0.1, random_start=False)(trained, *tested, seed=0)
    assert torch.equal(pgd, Fgsm(epsilon=0.1)(trained, *tested, seed=0))


def test_the_direction_is_that_of_the_cross_entropys_gradient(trained, tested) -> None:
    images, labels = tested[0].clone().requires_grad_(), tested[1]
    losses = nn.functional.cross_entropy(trained(images).double(), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(losses, images)
    clear = gradient.abs() > 1e-3 * gradient.abs().amax((1, 2, 3), keepdim=True)
    assert torch.equal(ascent(trained, *tested[:2], "linf")[clear], gradient.sign()[clear])
    along = (ascent(trained, *tested[:2], "l2") * gradient).sum((1, 2, 3)) / gradient.flatten(1).norm(dim=1)
    assert torch.allclose(along, torch.ones(100), atol=1e-4)


def test_log_odds_of_a_fair_coin_are_zero_and_grow_against_the_label() -> None:
    logits = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 500.0]])
    assert torch.equal(odds(logits, torch.zeros(3, dtype=torch.int64)), torch.tensor([0.0, -3.0, 500.0]))


def test_an_image_that_looks_unknown_has_not_fooled_the_network() -> None:
    class Unsure(nn.Module):
        classes = 2

        def forward(self, images: Tensor) -> Tensor:
            return torch.tensor([[1.0, 0.0, 9.0], [0.0, 1.0, 9.0]])

    _, fooled = judged(Unsure(), torch.zeros(2, 1, 1, 1), torch.tensor([0, 0]))
    assert fooled.tolist() == [False, True]


def test_more_restarts_fool_more_and_lose_no_image_that_was_fooled(trained, tested) -> None:
    images, labels, _ = tested
    attacks: list[Attack] = [Pgd(epsilon=0.05, steps=2, restarts=restarts) for restarts in (1, 2, 8)]
    judgements = [judged(trained, attack(trained, *tested, seed=0), labels) for attack in attacks]
    for (odds_few, few), (odds_many, many) in pairwise(judgements):
        assert not (few & ~many).any()
        assert (odds_many >= odds_few - 1e-4)[few == many].all()
        assert odds_many.sum() > odds_few.sum()
    assert judgements[2][1].sum() >= judgements[0][1].sum()
    assert images.shape == (100, 1, 8, 8)


@pytest.mark.parametrize("training", [False, True])
def test_being_fooled_counts_for_more_than_a_large_loss(training) -> None:
    class Split(nn.Module):
        """Dark images get the right answer with a large loss, bright ones a wrong answer with a small one."""

        classes = 9

        def forward(self, images: Tensor) -> Tensor:
            dark = torch.tensor([0.1] + [0.0] * 8)
            bright = torch.tensor([0.0, 0.1] + [-50.0] * 7)
            return torch.where(images.flatten(1) < 0.5, dark, bright) + 0 * images.flatten(1)

    images, labels = torch.full((50, 1, 1, 1), 0.5), torch.zeros(50, dtype=torch.int64)
    model = Split().train(training)
    first, best = (
        Pgd(epsilon=0.5, restarts=restarts)(model, images, labels, torch.arange(50), 0)
        for restarts in (1, 12)
    )
    assert 10 < (first < 0.5).sum() < 40
    assert (best >= 0.5).all()


def test_images_that_are_fooled_are_not_searched_again_except_in_training() -> None:
    model = Linear().eval()
    away = torch.where(worst_way(model)[:3] > 0, 0.0, 1.0)  # the first three are as far from fooled as can be
    images = torch.cat([away, middle()[3:]])
    attack = Pgd(epsilon=0.1, steps=1, restarts=2)
    attack(model, images, LABELS, SAMPLES, 0)
    _, fooled = judged(Linear(), attack(Linear(), images, LABELS, SAMPLES, 0), LABELS)
    left = 6 - int(fooled.sum())
    assert 3 <= left < 6
    assert model.seen == [6, 6, left, left]
    model.train().seen.clear()
    attack(model, images, LABELS, SAMPLES, 0)
    assert model.seen == [6, 6, 6, 6]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_starts_fill_the_ball_evenly(norm) -> None:
    samples = torch.arange(2000)
    starts = Pgd(epsilon=0.5, norm=norm)._start(torch.zeros(2000, 1, 2, 2), samples, 0).flatten(1)
    sizes = starts.abs().amax(1) if norm == "linf" else starts.norm(dim=1)
    assert sizes.max() <= 0.5
    inner = (sizes < 0.25).float().mean().item()  # the ball of half the size has 1/16 of the volume
    assert inner == pytest.approx(1 / 16, abs=0.016)
    assert starts.mean(0).abs().max() < 0.03


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"step": 0.0}, r"step must be above 0, got 0\.0"),
        ({"restarts": 0}, "restarts must be at least 1, got 0"),
        ({"restarts": 2, "random_start": False}, "restarts above 1 need a random_start to differ, got 2"),
    ],
)
def test_settings_of_pgd_that_make_no_sense_are_refused(fields, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        Pgd(**fields)
