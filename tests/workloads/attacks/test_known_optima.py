"""A linear model, whose worst image can be written down, and what restarts keep."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, lsq_linear
from torch import Tensor, nn

from workloads.attacks._ascent import ascent, judged, odds
from workloads.attacks._margins import aimed, margin, ratio, targeted_ratio
from workloads.attacks._projection import to_boundary
from workloads.attacks.apgd import Apgd
from workloads.attacks.autoattack import Autoattack
from workloads.attacks.base import Attack
from workloads.attacks.fab import Fab
from workloads.attacks.fgsm import Fgsm
from workloads.attacks.pgd import Pgd
from workloads.attacks.square import Square
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


class Planes(nn.Module):
    """``classes`` linear functions of the pixels, whose boundaries are planes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.weight = nn.Parameter(normal(2, torch.arange(classes), (3, 4, 5)))

    def forward(self, images: Tensor) -> Tensor:
        return torch.einsum("nchw,kchw->nk", images, self.weight)


@pytest.mark.parametrize("loss", ["ce", "dlr", "dlr_targeted"])
def test_apgd_finds_the_corner_whatever_it_climbs(loss) -> None:
    class Four(Linear):
        """The two classes of `Linear`, and two that are never near: they keep the ratio's scale."""

        classes = 4

        def forward(self, images: Tensor) -> Tensor:
            score = super().forward(images)
            return torch.cat([score, torch.full_like(score, -1000) * torch.tensor([1.0, 2.0])], 1)

    targets = 1 if loss == "dlr_targeted" else None
    found = Apgd(epsilon=0.1, loss=loss, targets=targets)(Four(), middle(), LABELS, SAMPLES, 0)
    assert torch.allclose(found, middle() + 0.1 * worst_way(Linear()).sign(), atol=1e-6)


def test_apgd_goes_to_the_end_of_the_gradient_in_l2() -> None:
    model = Linear()
    found = Apgd(epsilon=0.3, norm="l2")(model, middle(), LABELS, SAMPLES, 0)
    expected = middle() + 0.3 * worst_way(model) / model.weight.norm()
    assert torch.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fab_finds_the_nearest_image_of_another_class(norm) -> None:
    model = Planes(5)
    images = 0.4 + 0.2 * uniform(0, torch.arange(6), (3, 4, 5))
    with torch.no_grad():
        logits = model(images)
        labels = logits.argmax(1)
        ways = (model.weight[None] - model.weight[labels][:, None]).flatten(2)
        gaps = logits.gather(1, labels[:, None]) - logits
        sizes = ways.abs().sum(2) if norm == "linf" else ways.norm(dim=2)
        known = (gaps / sizes).nan_to_num(torch.inf).scatter(1, labels[:, None], torch.inf).amin(1)
    for label, place, best in zip(labels, range(6), known.tolist(), strict=True):
        one, own = images[place : place + 1], label[None]
        # In a ball a little larger than needed it fools, and in one a little smaller nothing can.
        for epsilon, fooled in ((1.02 * best, True), (0.98 * best, False)):
            found = Fab(epsilon, norm, steps=10)(model, one, own, torch.tensor([place]), 0)
            assert bool(judged(model, found, own)[1]) is fooled


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_smallest_change_to_a_plane_is_that_of_a_general_solver(norm) -> None:
    images = uniform(3, torch.arange(8), (1, 2, 3)).double()
    gradient = normal(3, torch.arange(8), (1, 2, 3)).double()
    highest = (gradient.clamp_min(0) * (1 - images) - gradient.clamp_max(0) * images).sum((1, 2, 3))
    for share in (0.0, 0.3, 0.9):
        for sign in (1, -1):
            way = sign * gradient
            top = (way.clamp_min(0) * (1 - images) - way.clamp_max(0) * images).sum((1, 2, 3))
            found = to_boundary(images, gradient, sign * share * top, norm)
            assert torch.allclose((found * gradient).sum((1, 2, 3)), sign * share * top, atol=1e-9)
            assert (images + found).min() >= -1e-12
            assert (images + found).max() <= 1 + 1e-12
            for place in range(8):
                expected = solved(images[place], gradient[place], float(sign * share * top[place]), norm)
                size = found[place].abs().max() if norm == "linf" else found[place].norm()
                assert float(size) == pytest.approx(expected, abs=2e-4)
    too_far = to_boundary(images, gradient, 10 * highest, norm)
    assert torch.allclose(images + too_far, (gradient > 0).double(), atol=1e-9)


def solved(image: Tensor, gradient: Tensor, rise: float, norm: str) -> float:
    """The size of the smallest change, by scipy."""
    slopes, pixels = gradient.flatten().numpy(), image.flatten().numpy()
    count = len(pixels)
    if norm == "linf":
        unit, ones = np.eye(count), np.ones((count, 1))
        answer = linprog(
            np.r_[np.zeros(count), 1],
            A_ub=np.r_[np.c_[unit, -ones], np.c_[-unit, -ones]],
            b_ub=np.zeros(2 * count),
            A_eq=np.r_[slopes, 0][None],
            b_eq=[rise],
            bounds=[*zip(-pixels, 1 - pixels, strict=True), (0, None)],
        )
        return float(answer.fun)
    # Least squares with bounds, the plane as one row of great weight.
    heavy = np.r_[np.eye(count), 1e4 * slopes[None]]
    answer = lsq_linear(
        heavy, np.r_[np.zeros(count), 1e4 * rise], (-pixels - 1e-12, 1 - pixels + 1e-12), tol=1e-14
    )
    return float(np.linalg.norm(answer.x))


def test_square_finds_the_corner_where_every_pixel_counts_alike() -> None:
    class Bright(nn.Module):
        """Class 0 always; the darker the image, the less so."""

        classes = 2

        def forward(self, images: Tensor) -> Tensor:
            score = 1 + images.mean((1, 2, 3))
            return torch.stack([score, -score], 1)

    found = Square(epsilon=0.1, queries=3000)(Bright(), middle(), 0 * LABELS, SAMPLES, 0)
    assert torch.allclose(found, middle() - 0.1, atol=1e-6)


def test_autoattack_asks_nothing_more_of_images_that_have_fallen() -> None:
    model = Planes(5).eval()
    images = middle()
    labels = (model(images).argmax(1) + 1) % 5  # all are wrong before
    seen = []
    forward = model.forward
    model.forward = lambda given: seen.append(len(given)) or forward(given)  # type: ignore[method-assign]
    found = Autoattack(epsilon=0.1)(model, images, labels, SAMPLES, 0)
    assert torch.equal(found, images)
    assert seen == [6]


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_autoattack_takes_the_losses_that_the_number_of_classes_allows(classes) -> None:
    attack = Autoattack(epsilon=0.1, steps=3, queries=5)
    kinds = [(type(each).__name__, getattr(each, "loss", "")) for each in attack._sequence(classes)]
    ratios = {2: [], 3: [("Apgd", "dlr")], 4: [("Apgd", "dlr_targeted")]}[classes]
    assert kinds == [("Apgd", "ce"), *ratios, ("Fab", ""), ("Square", "")]
    model = Planes(classes)
    labels = model(middle()).argmax(1)
    assert judged(model, attack(model, middle(), labels, SAMPLES, 0), labels)[1].any()


@pytest.mark.parametrize(
    "attack", [Fab(targets=5), Apgd(loss="dlr_targeted", targets=5), Autoattack(targets=5, steps=1)], ids=repr
)
def test_more_targets_than_wrong_classes_are_refused(attack) -> None:
    model = Planes(5)
    labels = model(middle()).argmax(1)
    with pytest.raises(ValueError, match="targets must be at most 4, the number of wrong classes, got 5"):
        attack(model, middle(), labels, SAMPLES, 0)


def test_a_ratio_of_more_outputs_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="the loss dlr needs at least 3 outputs, got 2"):
        Apgd(loss="dlr")(Linear(), middle(), LABELS, SAMPLES, 0)


def test_ratios_of_logits_are_those_of_the_paper_and_blind_to_scale() -> None:
    logits, labels = torch.tensor([[4.0, 1.0, 2.0, 0.0]]), torch.tensor([0])
    for scale in (1, 1e4):
        assert ratio(scale * logits, labels).item() == pytest.approx(-(4 - 2) / (4 - 1))
        targeted = targeted_ratio(scale * logits, labels, torch.tensor([3]))
        assert targeted.item() == pytest.approx(-(4 - 0) / (4 - (1 + 0) / 2))
    assert margin(logits, torch.tensor([2])).item() == -2


def test_the_classes_aimed_at_are_the_likeliest_wrong_ones_that_are_known() -> None:
    logits = torch.tensor([[3.0, 1.0, 2.0, 9.0], [0.0, 5.0, 4.0, 9.0]])
    ranked = [aimed(logits, torch.tensor([0, 2]), 3, rank).tolist() for rank in (0, 1)]
    assert ranked == [[2, 1], [1, 0]]


@pytest.mark.parametrize(
    ("kind", "fields", "sentence"),
    [
        (Apgd, {"steps": 0}, "steps must be at least 1, got 0"),
        (Apgd, {"restarts": 0}, "restarts must be at least 1, got 0"),
        (Apgd, {"targets": 0, "loss": "dlr_targeted"}, "targets must be at least 1, got 0"),
        (Apgd, {"targets": 3}, "targets go with the loss dlr_targeted, got ce"),
        (Fab, {"steps": 0}, "steps must be at least 1, got 0"),
        (Fab, {"targets": 0}, "targets must be at least 1, got 0"),
        (Square, {"queries": 0}, "queries must be at least 1, got 0"),
        (Square, {"area": 0.0}, r"area is a share of the image in \(0, 1\], got 0\.0"),
        (Autoattack, {"steps": 0}, "steps must be at least 1, got 0"),
        (Autoattack, {"queries": 0}, "queries must be at least 1, got 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind, fields, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        kind(**fields)
