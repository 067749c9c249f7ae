"""Calibration, temperature and risk: values by hand, and against independent implementations."""

from __future__ import annotations

import itertools
import math
from statistics import fmean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.functional.classification import binary_calibration_error

from workloads.metrics.adaptive_ece import adaptive_ece
from workloads.metrics.aurc import aurc, excess_aurc
from workloads.metrics.classwise_ece import classwise_ece
from workloads.metrics.ece import ece
from workloads.metrics.probabilities import log_probabilities
from workloads.metrics.reliability import Bin, reliability
from workloads.metrics.temperature import HIGHEST, LOWEST, fit_temperature
from workloads.randomness import normal, uniform

BINNED = [ece, adaptive_ece, classwise_ece, reliability]
METRICS = [*BINNED, aurc, excess_aurc, fit_temperature]


def believed(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


def of_confidence(*confidences: float) -> Tensor:
    """Beliefs among two classes, of which the first is answered."""
    return believed(*[[one, 1 - one] for one in confidences])


def random_logits(count: int = 500, classes: int = 7) -> Tensor:
    return 2 * normal(0, torch.arange(count), (classes,)).double()


def random_answers(count: int = 500, classes: int = 7) -> tuple[Tensor, Tensor]:
    logits = random_logits(count, classes)
    labels = (logits + 2 * normal(1, torch.arange(count), (classes,))).argmax(1)
    return log_probabilities(logits, classes), labels


def drawn_labels(logits: Tensor) -> Tensor:
    """Labels (N,) as the softmax of ``logits`` (N, K) says."""
    below = logits.softmax(1).cumsum(1)
    draws = uniform(2, torch.arange(len(logits)), ()).double()
    return (draws[:, None] > below).sum(1).clamp(max=logits.shape[1] - 1)


def test_bins_of_equally_many_images_checked_by_hand() -> None:
    beliefs, labels = of_confidence(0.95, 0.6, 0.9, 0.7), torch.tensor([0, 0, 1, 1])
    # {0.6 right, 0.7 wrong} and {0.9 wrong, 0.95 right}
    assert adaptive_ece(beliefs, labels, bins=2) == pytest.approx((abs(1.3 - 1) + abs(1.85 - 1)) / 4)
    assert adaptive_ece(beliefs, labels, bins=1) == pytest.approx(abs(3.15 - 2) / 4)
    assert adaptive_ece(beliefs, labels, bins=9) == pytest.approx((0.05 + 0.4 + 0.9 + 0.7) / 4)


@pytest.mark.parametrize("bins", [1, 4, 10])
def test_bins_of_equally_many_images_are_those_of_the_sorted_confidences(bins) -> None:
    beliefs, labels = random_answers()  # 500 images, which 1, 4 and 10 divide
    confidence, answers = beliefs.exp().max(1)
    order = confidence.argsort()
    surplus = (confidence - (answers == labels).double())[order].reshape(bins, -1)
    assert adaptive_ece(beliefs, labels, bins) == pytest.approx(float(surplus.mean(1).abs().mean()))


def test_images_of_equal_confidence_share_a_bin_whatever_their_order() -> None:
    beliefs, labels = of_confidence(*[1.0] * 6), torch.tensor([0, 0, 0, 1, 1, 1])
    assert adaptive_ece(beliefs, labels, bins=2) == pytest.approx(0.5)
    assert adaptive_ece(beliefs, labels.flip(0), bins=2) == pytest.approx(0.5)


def test_the_calibration_error_of_classes_checked_by_hand() -> None:
    beliefs, labels = believed([0.8, 0.2, 0.0], [0.6, 0.4, 0.0]), torch.tensor([0, 1])
    first, second = (0.2 + 0.6) / 2, (0.2 + 0.6) / 2
    assert classwise_ece(beliefs, labels, bins=10) == pytest.approx((first + second + 0) / 3)
    assert classwise_ece(beliefs, labels, bins=1) == pytest.approx((0.2 + 0.2 + 0) / 3)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_calibration_error_of_classes_agrees_with_torchmetrics(bins) -> None:
    beliefs, labels = random_answers()
    expected = fmean(
        binary_calibration_error(beliefs[:, one].exp(), (labels == one).long(), n_bins=bins).item()
        for one in range(7)
    )
    assert classwise_ece(beliefs, labels, bins=bins) == pytest.approx(expected, abs=1e-6)


def test_a_reliability_diagram_says_what_is_in_each_bin() -> None:
    beliefs, labels = of_confidence(1.0, 0.75, 0.8), torch.tensor([0, 1, 0])
    low, middle, high = reliability(beliefs, labels, bins=3)
    assert low == Bin(0.0, pytest.approx(1 / 3), 0, None, None)
    assert (middle.images, middle.confidence, middle.accuracy) == (0, None, None)
    assert high == Bin(pytest.approx(2 / 3), 1.0, 3, pytest.approx(0.85), pytest.approx(2 / 3))


def test_the_calibration_error_is_the_mean_gap_of_the_reliability_diagram() -> None:
    beliefs, labels = random_answers()
    bins = [one for one in reliability(beliefs, labels, bins=12) if one.images]
    assert sum(one.images for one in bins) == 500
    gaps = sum(one.images * abs(one.confidence - one.accuracy) for one in bins)
    assert ece(beliefs, labels, bins=12) == pytest.approx(gaps / 500)


@pytest.mark.parametrize("truth", [0.3, 1.0, 4.0])
def test_the_temperature_that_labels_were_drawn_with_is_found(truth) -> None:
    logits = random_logits(4000) * truth
    labels = drawn_labels(logits / truth)
    found = fit_temperature(logits.float(), labels)
    assert found == pytest.approx(truth, rel=0.05)
    before, after = (ece(log_probabilities(logits / divisor, 7), labels) for divisor in (1, found))
    assert after < 0.03
    assert truth == 1 or before > 5 * after


def test_the_temperature_is_where_the_likelihood_is_best() -> None:
    logits = 3 * random_logits()
    _, labels = random_answers()
    best = minimize_scalar(
        lambda log: cross_entropy(logits / math.exp(log), labels).item(), bounds=(-2, 2), method="bounded"
    )
    assert fit_temperature(logits, labels) == pytest.approx(math.exp(best.x), rel=1e-4)


def test_the_temperature_of_two_logits_checked_by_hand() -> None:
    # three of four are right at a gap of 2: the best probability is 3/4, so 2 / T = log 3
    logits = torch.tensor([[2.0, 0.0]] * 4)
    assert fit_temperature(logits, torch.tensor([0, 0, 0, 1])) == pytest.approx(2 / math.log(3))


def test_logits_of_any_size_are_scaled_alike() -> None:
    logits, labels = torch.tensor([[2.0, 0.0]] * 4), torch.tensor([0, 0, 0, 1])
    assert fit_temperature(logits + 1e6, labels) == pytest.approx(2 / math.log(3))
    assert fit_temperature(8 * logits, labels) == pytest.approx(16 / math.log(3))


def test_where_no_temperature_is_best_there_is_a_bound() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    assert fit_temperature(logits, torch.tensor([0, 1])) == LOWEST
    assert fit_temperature(1000 * logits, torch.tensor([0, 1])) == LOWEST
    assert fit_temperature(logits, torch.tensor([1, 0])) == HIGHEST


def test_logits_that_say_nothing_keep_their_temperature() -> None:
    assert fit_temperature(torch.full((5, 3), 7.0), torch.zeros(5).long()) == 1
    assert fit_temperature(torch.ones(5, 1), torch.zeros(5).long()) == 1


def test_infinite_logits_have_no_temperature() -> None:
    with pytest.raises(ValueError, match="logits must be finite numbers"):
        fit_temperature(torch.tensor([[math.inf, 0.0]]), torch.tensor([0]))


def test_the_area_under_risk_and_coverage_checked_by_hand() -> None:
    beliefs, labels = of_confidence(0.6, 0.9, 0.8), torch.tensor([0, 0, 1])  # right at 0.9, wrong, right
    assert aurc(beliefs, labels) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    assert excess_aurc(beliefs, labels) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3 - (0 + 0 + 1 / 3) / 3)


def test_confidence_that_tells_right_from_wrong_leaves_no_excess() -> None:
    beliefs, labels = of_confidence(0.6, 0.9, 0.8, 0.7), torch.tensor([1, 0, 0, 1])
    assert excess_aurc(beliefs, labels) == 0
    assert aurc(beliefs, labels) == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)


@pytest.mark.parametrize(("label", "risk"), [(0, 0.0), (1, 1.0)])
def test_who_is_always_right_or_always_wrong_has_that_risk_and_no_excess(label, risk) -> None:
    beliefs = of_confidence(0.6, 0.9, 0.9, 1.0)
    assert (aurc(beliefs, torch.full((4,), label)), excess_aurc(beliefs, torch.full((4,), label))) == (
        risk,
        0,
    )


IMAGES = st.lists(st.tuples(st.sampled_from([0.6, 0.7, 0.8]), st.booleans()), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(IMAGES)
def test_ties_are_a_mean_over_all_orders(images) -> None:
    areas = []
    for order in itertools.permutations(images):
        wrong = [mistaken for _, mistaken in sorted(order, key=lambda image: -image[0])]
        areas.append(fmean(fmean(wrong[:count]) for count in range(1, len(wrong) + 1)))
    labels = torch.tensor([int(mistaken) for _, mistaken in images])
    assert aurc(of_confidence(*[one for one, _ in images]), labels) == pytest.approx(fmean(areas))


def test_sure_answers_are_told_apart_although_their_probabilities_round_to_one() -> None:
    beliefs = log_probabilities(torch.tensor([[33.0, 0.0], [36.0, 0.0]], dtype=torch.float64), 2)
    assert aurc(beliefs, torch.tensor([1, 0])) == pytest.approx((0 + 1 / 2) / 2)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("beliefs", "labels", "sentence"),
    [
        (torch.zeros(0, 3), torch.zeros(0).long(), "needs at least one image, got none"),
        (torch.tensor([[math.nan, 0.0]]), torch.tensor([0]), "must be numbers, got NaN"),
        (torch.zeros(1, 3), torch.tensor([3]), r"labels must be in \[0, 3\), got 3 to 3"),
    ],
)
def test_input_that_would_give_a_meaningless_number_is_refused(metric, beliefs, labels, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        metric(beliefs, labels)


@pytest.mark.parametrize("metric", BINNED)
def test_no_bins_are_refused(metric) -> None:
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        metric(*random_answers(5), bins=0)
