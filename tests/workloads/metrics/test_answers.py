"""Accuracy, likelihood and calibration: values by hand, and against independent implementations."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from workloads.metrics.accuracy import accuracy
from workloads.metrics.brier import brier
from workloads.metrics.ece import ece
from workloads.metrics.nll import nll
from workloads.metrics.probabilities import log_probabilities, mean_log_probabilities
from workloads.randomness import normal

METRICS = [accuracy, nll, brier, ece]


def believed(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


def random_answers(count: int = 500, classes: int = 7) -> tuple[Tensor, Tensor]:
    logits = 2 * normal(0, torch.arange(count), (classes,))
    labels = (logits + 2 * normal(1, torch.arange(count), (classes,))).argmax(1)
    return log_probabilities(logits, classes), labels


def test_values_that_can_be_checked_by_hand() -> None:
    beliefs, labels = believed([0.8, 0.2], [0.6, 0.4]), torch.tensor([0, 1])
    assert accuracy(beliefs, labels) == 0.5
    assert nll(beliefs, labels) == pytest.approx(-(math.log(0.8) + math.log(0.4)) / 2)
    assert brier(beliefs, labels) == pytest.approx((2 * 0.2**2 + 2 * 0.6**2) / 2)
    assert ece(beliefs, labels, bins=10) == pytest.approx((0.2 + 0.6) / 2)
    assert ece(beliefs, labels, bins=1) == pytest.approx(abs(0.7 - 0.5))


def test_a_guess_has_the_log_of_the_classes_as_likelihood_and_is_calibrated() -> None:
    beliefs, labels = torch.full((4, 4), 0.25, dtype=torch.float64).log(), torch.arange(4)
    assert nll(beliefs, labels) == pytest.approx(math.log(4))
    assert brier(beliefs, labels) == pytest.approx(0.75)
    assert ece(beliefs, labels) == pytest.approx(0)


def test_a_confidence_of_exactly_one_counts_in_the_calibration_error() -> None:
    sure = believed([1.0, 0.0], [1.0, 0.0])
    assert ece(sure, torch.tensor([1, 1])) == 1
    assert ece(sure, torch.tensor([0, 1])) == 0.5


def test_a_confidence_on_the_border_of_two_bins_belongs_to_the_upper_one() -> None:
    beliefs = believed([0.5, 0.3, 0.2], [0.7, 0.2, 0.1])  # both in [0.5, 1): the gaps cancel
    assert ece(beliefs, torch.tensor([0, 1]), bins=2) == pytest.approx(abs(1.2 - 1) / 2)


def test_accuracy_likelihood_and_brier_score_agree_with_scikit_learn() -> None:
    beliefs, labels = random_answers()
    probabilities = beliefs.exp().numpy()
    assert accuracy(beliefs, labels) == pytest.approx(accuracy_score(labels, probabilities.argmax(1)))
    assert nll(beliefs, labels) == pytest.approx(log_loss(labels, probabilities, labels=range(7)))
    expected = brier_score_loss(labels.numpy(), probabilities, labels=list(range(7)), scale_by_half=False)
    assert brier(beliefs, labels) == pytest.approx(expected)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_agrees_with_torchmetrics(bins) -> None:
    beliefs, labels = random_answers()
    expected = multiclass_calibration_error(beliefs.exp(), labels, num_classes=7, n_bins=bins, norm="l1")
    assert ece(beliefs, labels, bins=bins) == pytest.approx(expected.item(), abs=1e-6)


def test_probability_of_unknown_outputs_is_missing_from_the_known_classes() -> None:
    beliefs = log_probabilities(torch.tensor([[0.0, 0.0, math.log(2)]]), classes=2)
    assert beliefs.exp().flatten().tolist() == pytest.approx([0.25, 0.25])
    label = torch.tensor([0])
    assert nll(beliefs, label) == pytest.approx(math.log(4))
    assert brier(beliefs, label) == pytest.approx(0.75**2 + 0.25**2)
    assert ece(beliefs, label) == pytest.approx(0.75)


def test_the_answer_is_looked_for_among_the_known_classes_alone() -> None:
    beliefs = log_probabilities(torch.tensor([[1.0, 2.0, 9.0]]), classes=2)
    assert accuracy(beliefs, torch.tensor([1])) == 1


def test_the_likelihood_of_a_hopeless_label_is_finite() -> None:
    beliefs = log_probabilities(torch.tensor([[0.0, 2000.0]]), classes=2)
    assert nll(beliefs, torch.tensor([0])) == 2000


def test_an_ensemble_believes_the_mean_of_its_members() -> None:
    members = [believed([0.9, 0.1]), believed([0.2, 0.8]), believed([0.4, 0.6])]
    assert mean_log_probabilities(members).exp().flatten().tolist() == pytest.approx([0.5, 0.5])
    assert torch.allclose(mean_log_probabilities(members[:1]), members[0])


def test_an_ensemble_of_hopeless_members_does_not_vanish() -> None:
    members = [torch.tensor([[-2000.0, 0.0]], dtype=torch.float64)] * 2
    assert mean_log_probabilities(members)[0, 0].item() == pytest.approx(-2000)


def test_an_ensemble_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="a mean needs at least one member, got none"):
        mean_log_probabilities([])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("beliefs", "labels", "sentence"),
    [
        (torch.zeros(0, 3), torch.zeros(0).long(), "needs at least one image, got none"),
        (torch.tensor([[math.nan, 0.0]]), torch.tensor([0]), "probabilities must be numbers, got NaN"),
        (torch.zeros(1, 3), torch.tensor([3]), r"labels must be in \[0, 3\), got 3 to 3"),
        (torch.zeros(1, 3), torch.tensor([-1]), r"labels must be in \[0, 3\), got -1 to -1"),
        (torch.zeros(2, 3), torch.tensor([0]), "2 images need as many labels, got 1"),
    ],
)
def test_input_that_would_give_a_meaningless_number_is_refused(metric, beliefs, labels, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        metric(beliefs, labels)


def test_logits_that_are_no_numbers_are_refused() -> None:
    logits = torch.tensor([[0.0, math.nan], [0.0, 1.0]])
    with pytest.raises(ValueError, match="logits must be numbers, got NaN in 1 rows"):
        log_probabilities(logits, 2)
    with pytest.raises(ValueError, match="3 classes need as many logits, got 2"):
        log_probabilities(logits, 3)


def test_a_calibration_error_without_bins_is_refused() -> None:
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        ece(*random_answers(5), bins=0)
