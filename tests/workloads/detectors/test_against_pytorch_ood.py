"""Detectors and their metrics against the implementation of pytorch-ood; alone, as its import is slow."""

from __future__ import annotations

import pytest
import torch
from pytorch_ood.detector import EnergyBased, MaxSoftmax
from pytorch_ood.metrics import OODMetrics

from workloads.detectors.base import Outputs
from workloads.detectors.energy import Energy
from workloads.detectors.msp import Msp
from workloads.metrics.aupr import aupr
from workloads.metrics.auroc import auroc
from workloads.metrics.fpr95 import fpr95
from workloads.randomness import normal

COUNT, CLASSES = 300, 5


def logits(seed: int, strength: float) -> torch.Tensor:
    samples = torch.arange(COUNT)
    return (normal(seed, samples, (CLASSES,)) + strength * torch.eye(CLASSES)[samples % CLASSES]).double()


def outputs(values: torch.Tensor) -> Outputs:
    return Outputs(values, torch.zeros(COUNT, 1), torch.zeros(COUNT, dtype=torch.int64), CLASSES)


@pytest.mark.parametrize("temperature", [1.0, 7.0])
def test_energy_gives_the_same_scores(temperature) -> None:
    train, test = outputs(logits(0, 3)), outputs(logits(1, 1))
    expected = EnergyBased(None, t=temperature).predict_logits(test.logits)
    assert torch.allclose(Energy(temperature=temperature).fit(train)(test), expected)


def test_msp_gives_the_log_odds_of_the_same_probability() -> None:
    train, test = outputs(logits(0, 3)), outputs(logits(1, 1))
    probability = -MaxSoftmax(None).predict_logits(test.logits)
    assert torch.allclose(Msp().fit(train)(test), torch.log((1 - probability) / probability))


def test_the_metrics_of_detection_are_the_same() -> None:
    inside, outside = (-logits(seed, strength).amax(1) for seed, strength in ((0, 3), (1, 1)))
    metrics = OODMetrics().update(
        torch.cat([inside, outside]), torch.cat([torch.zeros(COUNT), torch.full((COUNT,), -1.0)]).long()
    )
    expected = metrics.compute()
    assert auroc(inside, outside) == pytest.approx(expected["AUROC"])
    assert fpr95(inside, outside, "outside") == pytest.approx(expected["FPR95TPR"])
    # The trapezoid area there against the average precision here: the same but for the ends of the curve.
    assert aupr(inside, outside, "inside") == pytest.approx(expected["AUPR-IN"], abs=0.005)
    assert aupr(inside, outside, "outside") == pytest.approx(expected["AUPR-OUT"], abs=0.005)
