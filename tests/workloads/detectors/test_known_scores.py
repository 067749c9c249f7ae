"""One value per detector that can be checked in the head."""

from __future__ import annotations

import math

import pytest
import torch

from workloads.detectors.base import Detector, Outputs
from workloads.detectors.energy import Energy
from workloads.detectors.msp import Msp


def score(detector: Detector, *logits: float, classes: int) -> float:
    rows = torch.tensor([logits])
    outputs = Outputs(rows, torch.zeros(1, 1), torch.zeros(1, dtype=torch.int64), classes)
    return detector.fit(outputs)(outputs).item()


def test_energy_of_two_equal_logits_is_minus_log_two() -> None:
    assert score(Energy(), 0, 0, classes=2) == pytest.approx(-math.log(2))


def test_energy_at_another_temperature_scales_with_it() -> None:
    assert score(Energy(temperature=10), 0, 0, classes=2) == pytest.approx(-10 * math.log(2))


def test_energy_does_not_see_the_unknown_output() -> None:
    assert score(Energy(), 0, 0, 50, classes=2) == pytest.approx(-math.log(2))


def test_msp_is_the_log_odds_against_the_likeliest_class() -> None:
    # softmax of log 1, log 2, log 5: the likeliest has 5/8
    assert score(Msp(), 0, math.log(2), math.log(5), classes=3) == pytest.approx(math.log(3 / 5), abs=1e-6)


def test_msp_counts_the_unknown_output_against_the_known_classes() -> None:
    # log 1, log 2 are known, log 5 is not: the likeliest known class has 2/8
    assert score(Msp(), 0, math.log(2), math.log(5), classes=2) == pytest.approx(math.log(6 / 2), abs=1e-6)


def test_msp_tells_images_apart_whose_probability_is_one_in_float32() -> None:
    assert torch.softmax(torch.tensor([50.0, 0.0]), 0)[0] == 1
    assert score(Msp(), 60, 0, classes=2) == -60
    assert score(Msp(), 50, 0, classes=2) == -50


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"temperature must be above 0, got 0\.0"):
        Energy(temperature=0.0)
