"""Certificates by hand and against scipy's exact test of a proportion."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import binomtest, norm

from workloads.metrics.certificates import (
    certified_accuracy,
    certified_radii,
    largest_radius,
    lower_bound,
    mean_radius,
)


@pytest.mark.parametrize("draws", [1, 20, 1000])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_the_bound_is_that_of_clopper_and_pearson_on_one_side(draws, alpha):
    hits = sorted({0, 1, draws // 2, draws - 1, draws})
    expected = [binomtest(number, draws).proportion_ci(1 - 2 * alpha, method="exact").low for number in hits]
    assert lower_bound(torch.tensor(hits), draws, alpha).tolist() == pytest.approx(expected, abs=1e-12)


def test_a_unanimous_vote_has_the_root_of_alpha_as_its_bound():
    expected = 0.5 * norm.ppf(0.001 ** (1 / 100))
    assert largest_radius(100, 0.5, 0.001) == pytest.approx(expected)
    assert certified_radii(torch.tensor([100]), 100, 0.5, 0.001).item() == pytest.approx(expected)


def test_a_vote_without_a_sure_majority_abstains():
    radii = certified_radii(torch.tensor([0, 50, 60, 70]), 100, 0.25, 0.001)
    assert radii.isnan().tolist() == [True, True, True, False]
    assert radii[3] == pytest.approx(0.25 * norm.ppf(binomtest(70, 100).proportion_ci(0.998, "exact").low))


def test_accuracy_counts_right_answers_that_reach_the_radius():
    radii = torch.tensor([0.0, 0.25, 0.5, 0.9, math.nan], dtype=torch.float64)
    right = torch.tensor([True, True, True, False, True])
    shares = [certified_accuracy(radii, right, radius) for radius in (0.0, 0.25, 0.26, 0.6)]
    assert shares == [0.6, 0.4, 0.2, 0]
    assert mean_radius(radii, right) == pytest.approx(0.75 / 5)
