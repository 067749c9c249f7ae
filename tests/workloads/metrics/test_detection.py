"""AUROC, AUPR and FPR95: values by hand, and against independent implementations."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from torch import Tensor

from workloads.metrics.aupr import aupr
from workloads.metrics.auroc import auroc
from workloads.metrics.ccr import ccr
from workloads.metrics.fpr95 import fpr95
from workloads.randomness import normal

METRICS = [auroc, aupr, fpr95]
SCORES = st.lists(st.integers(-3, 3), min_size=1, max_size=30)


def scores(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def random_scores() -> tuple[Tensor, Tensor]:
    return 30 * normal(0, torch.arange(400), ()), 30 * normal(1, torch.arange(300), ()) + 30


def test_values_that_can_be_checked_by_hand() -> None:
    inside, outside = scores(1, 2, 3), scores(2.5, 4)
    assert auroc(inside, outside) == pytest.approx(5 / 6)
    assert aupr(inside, outside, "outside") == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    assert aupr(inside, outside, "inside") == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert fpr95(inside, outside) == 0.5  # all of inside pass at 3, and so does 2.5
    assert fpr95(inside, outside, "outside") == pytest.approx(1 / 3)  # all of outside are caught at 2.5


def test_sides_that_are_apart_are_told_apart_perfectly() -> None:
    inside, outside = scores(0, 1), scores(2, 3, 4)
    assert auroc(inside, outside) == aupr(inside, outside) == aupr(inside, outside, "outside") == 1
    assert fpr95(inside, outside) == fpr95(inside, outside, "outside") == 0
    assert auroc(outside, inside) == 0
    assert fpr95(outside, inside) == 1


def test_equal_scores_are_a_guess() -> None:
    same = scores(*[7] * 20)
    assert auroc(same, same) == 0.5
    assert aupr(same, same) == 0.5
    assert fpr95(same, same) == 1


def test_five_in_a_hundred_may_be_left_out_and_not_six() -> None:
    inside = torch.arange(100).double()
    assert fpr95(inside, scores(94.5)) == 0  # 95 of inside lie at or below 94
    assert fpr95(inside, scores(94)) == 1
    assert fpr95(inside, scores(93.5, 94.5)) == 0.5


def test_the_two_conventions_of_fpr95_differ() -> None:
    inside, outside = torch.cat([torch.zeros(90), torch.full((10,), 9.0)]), torch.full((100,), 5.0)
    assert fpr95(inside, outside, "inside") == 1
    assert fpr95(inside, outside, "outside") == pytest.approx(0.1)


def test_areas_agree_with_scikit_learn_on_scores_of_a_large_range() -> None:
    inside, outside = random_scores()
    labels, together = [0] * 400 + [1] * 300, torch.cat([inside, outside]).numpy()
    assert auroc(inside, outside) == pytest.approx(roc_auc_score(labels, together))
    assert aupr(inside, outside, "outside") == pytest.approx(average_precision_score(labels, together))
    flipped = [1 - label for label in labels]
    assert aupr(inside, outside) == pytest.approx(average_precision_score(flipped, -together))


@pytest.mark.parametrize("positive", ["inside", "outside"])
def test_fpr95_agrees_with_the_curve_of_scikit_learn(positive) -> None:
    inside, outside = random_scores()
    together = torch.cat([inside, outside]).numpy()
    labels = [int(positive == "inside")] * 400 + [int(positive == "outside")] * 300
    wrong, right, _ = roc_curve(
        labels, -together if positive == "inside" else together, drop_intermediate=False
    )
    assert fpr95(inside, outside, positive) == pytest.approx(wrong[(right >= 0.95).argmax()])


@settings(deadline=None, max_examples=60)
@given(inside=SCORES, outside=SCORES)
def test_auroc_is_the_share_of_pairs_in_the_right_order_with_ties_as_halves(inside, outside) -> None:
    pairs = [(low, high) for low in inside for high in outside]
    expected = sum((high > low) + (high == low) / 2 for low, high in pairs) / len(pairs)
    assert auroc(scores(*inside), scores(*outside)) == pytest.approx(expected)


@settings(deadline=None, max_examples=60)
@given(inside=SCORES, outside=SCORES)
def test_fpr95_is_the_smallest_rate_at_any_threshold_that_passes_95_percent(inside, outside) -> None:
    def share(side: list[int], threshold: int) -> float:
        return sum(score <= threshold for score in side) / len(side)

    expected = min(share(outside, at) for at in inside if 100 * share(inside, at) >= 95 - 1e-9)
    assert fpr95(scores(*inside), scores(*outside)) == pytest.approx(expected)


@pytest.mark.parametrize("metric", METRICS)
def test_only_the_order_of_the_scores_matters(metric) -> None:
    inside, outside = random_scores()
    assert metric(inside, outside) == metric(*(side.double() ** 3 for side in (inside, outside)))


@pytest.mark.parametrize("metric", METRICS)
def test_infinite_scores_are_the_first_and_the_last(metric) -> None:
    near = metric(scores(-5, 1, 3), scores(2, 9))
    assert metric(scores(-math.inf, 1, 3), scores(2, math.inf)) == near


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("inside", "outside", "sentence"),
    [
        (scores(), scores(1), "measured on both sides, got no in-distribution scores"),
        (scores(1), scores(), "measured on both sides, got no out-of-distribution scores"),
        (scores(1, math.nan), scores(1), "scores must be numbers, got NaN in in-distribution scores"),
        (scores(1), scores(math.nan), "scores must be numbers, got NaN in out-of-distribution scores"),
    ],
)
def test_one_side_alone_and_scores_that_are_no_numbers_are_refused(metric, inside, outside, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        metric(inside, outside)


def test_ccr_counts_what_passes_and_is_right() -> None:
    inside, right = scores(1, 2, 3, 4), torch.tensor([True, False, True, True])
    outside = scores(2.5, 3.5, 8, 9)
    assert ccr(inside, outside, right, 0) == 1 / 4  # below 2.5 are 1, right, and 2, wrong
    assert ccr(inside, outside, right, 0.24) == 1 / 4
    assert ccr(inside, outside, right, 0.25) == 2 / 4  # 2.5 may pass
    assert ccr(inside, outside, right, 0.5) == 3 / 4
    assert ccr(inside, outside, right, 1) == 3 / 4


def test_ccr_refuses_what_scores_like_a_refused_image() -> None:
    assert ccr(scores(1, 1, 0), scores(1, 1), torch.ones(3, dtype=torch.bool), 0.5) == pytest.approx(1 / 3)


@settings(deadline=None, max_examples=60)
@given(inside=SCORES, outside=SCORES, share=st.sampled_from([0.0, 0.001, 0.1, 0.3, 0.5, 1.0]))
def test_ccr_is_the_best_rate_at_any_threshold_that_passes_so_few(inside, outside, share) -> None:
    right = [score % 3 != 0 for score in inside]
    found = [0.0]
    for threshold in range(-4, 5):
        if sum(score <= threshold for score in outside) <= share * len(outside) + 1e-9:
            passed = zip(inside, right, strict=True)
            found.append(sum(score <= threshold and good for score, good in passed) / len(inside))
    assert ccr(scores(*inside), scores(*outside), torch.tensor(right), share) == pytest.approx(max(found))


@pytest.mark.parametrize(
    ("inside", "right", "share", "sentence"),
    [
        (scores(1), [True], 1.5, r"false_positives must be in \[0, 1\], got 1\.5"),
        (scores(1), [True, False], 0.1, "1 in-distribution scores need as many answers, got 2"),
        (scores(math.nan), [True], 0.1, "scores must be numbers, got NaN in in-distribution scores"),
    ],
)
def test_a_ccr_of_nothing_is_refused(inside, right, share, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        ccr(inside, scores(2), torch.tensor(right), share)
