"""Detectors and their metrics against the implementation of pytorch-ood; alone, as its import is slow."""

from __future__ import annotations

import pytest
import torch
from pytorch_ood.detector import (
    ASH,
    DICE,
    GEN,
    KNN,
    RMD,
    SCALE,
    EnergyBased,
    GradNorm,
    KLMatching,
    MaxLogit,
    MaxSoftmax,
    OpenMax,
    ReAct,
    ViM,
)
from pytorch_ood.detector import Entropy as TheirEntropy
from pytorch_ood.detector import Mahalanobis as TheirMahalanobis
from pytorch_ood.metrics import OODMetrics
from torch import Tensor

from workloads.detectors.ash import Ash
from workloads.detectors.base import Detector, Outputs
from workloads.detectors.dice import Dice
from workloads.detectors.energy import Energy
from workloads.detectors.entropy import Entropy
from workloads.detectors.gen import Gen
from workloads.detectors.gradnorm import Gradnorm
from workloads.detectors.kl_matching import KlMatching
from workloads.detectors.knn import Knn
from workloads.detectors.mahalanobis import Mahalanobis
from workloads.detectors.max_logit import MaxLogit as Largest
from workloads.detectors.msp import Msp
from workloads.detectors.openmax import Openmax
from workloads.detectors.react import React
from workloads.detectors.relative_mahalanobis import RelativeMahalanobis
from workloads.detectors.scale import Scale
from workloads.detectors.vim import Vim
from workloads.metrics.aupr import aupr
from workloads.metrics.auroc import auroc
from workloads.metrics.fpr95 import fpr95
from workloads.randomness import normal

COUNT, CLASSES, WIDTH = 300, 5, 20
WEIGHT, BIAS = normal(7, torch.arange(CLASSES), (WIDTH,)) / 5, torch.linspace(-0.5, 0.5, CLASSES)


def outputs(seed: int, strength: float) -> Outputs:
    """Images of five classes with features as after a ReLU, in float32 as networks give them."""
    samples = torch.arange(COUNT)
    features = (normal(seed, samples, (WIDTH,)) + 5 * strength * WEIGHT[samples % CLASSES]).relu()
    return Outputs(features @ WEIGHT.T + BIAS, features, samples % CLASSES, CLASSES, WEIGHT, BIAS)


TRAIN, TEST = outputs(0, 2), outputs(1, 0.5)


def head(maps: Tensor) -> Tensor:
    return maps.flatten(1).double() @ WEIGHT.double().T + BIAS.double()


def maps(given: Outputs) -> Tensor:
    return given.features.double()[:, :, None, None]


def fitted(detector) -> Tensor:
    return detector.fit_features(TRAIN.features, TRAIN.labels).predict_features(TEST.features)


def matching() -> Tensor:
    return KLMatching(None).fit_logits(TRAIN.logits.double()).predict_logits(TEST.logits.double())


def rectified() -> Tensor:
    theirs = ReAct(None, head, percentile=0.7)
    return theirs.fit_feature_maps(maps(TRAIN), TRAIN.labels).predict_feature_maps(maps(TEST))


def gradients(temperature: float) -> Tensor:
    layer = torch.nn.Linear(WIDTH, CLASSES).double()
    layer.load_state_dict({"weight": WEIGHT.double(), "bias": BIAS.double()})
    theirs = GradNorm(layer, lambda name: name == "weight", temperature=temperature)
    return theirs.predict(TEST.features.double())


#: Ours, their scores on the same scale, and how near these are: their fits are in float32.
PAIRS: list[tuple[Detector, object, float]] = [
    (Largest(), lambda: MaxLogit(None).predict_logits(TEST.logits.double()), 1e-12),
    (Energy(), lambda: EnergyBased(None, t=1.0).predict_logits(TEST.logits.double()), 1e-12),
    (Energy(temperature=7), lambda: EnergyBased(None, t=7.0).predict_logits(TEST.logits.double()), 1e-12),
    (Entropy(), lambda: TheirEntropy(None).predict_logits(TEST.logits.double()), 1e-5),
    (Gen(), lambda: CLASSES * GEN(None).predict_logits(TEST.logits.double()), 1e-9),
    (Gen(gamma=0.5, largest=3), lambda: 3 * GEN(None, 0.5, 3).predict_logits(TEST.logits.double()), 1e-9),
    (Gradnorm(), lambda: gradients(1.0), 1e-6),
    (Gradnorm(temperature=3), lambda: gradients(3.0), 1e-6),
    (KlMatching(), matching, 1e-9),
    (Knn(k=1), lambda: fitted(KNN(None, k=1)), 1e-4),
    (Knn(k=20), lambda: fitted(KNN(None, k=20)), 1e-5),
    (Mahalanobis(), lambda: 2 * COUNT * fitted(TheirMahalanobis(None)), 1e-3),
    (RelativeMahalanobis(), lambda: COUNT * fitted(RMD(None)), 1e-3),
    (React(quantile=0.7), rectified, 1e-6),
    (Dice(sparsity=0.7), lambda: fitted(DICE(None, WEIGHT, BIAS, p=0.7)), 1e-5),
    (Ash(pruned=0.65), lambda: ASH(None, head).predict_feature_maps(maps(TEST)), 1e-12),
    (Ash("p", 0.4), lambda: ASH(None, head, "ash-p", 0.4).predict_feature_maps(maps(TEST)), 1e-12),
    (Ash("b", 0.8), lambda: ASH(None, head, "ash-b", 0.8).predict_feature_maps(maps(TEST)), 1e-12),
    (Scale(pruned=0.65), lambda: SCALE(None, head).predict_feature_maps(maps(TEST)), 1e-12),
    (Vim(dimension=8), lambda: fitted(ViM(None, 8, WEIGHT, BIAS)), 1e-4),
    (Vim(), lambda: fitted(ViM(None, WIDTH // 2, WEIGHT, BIAS)), 1e-4),
]


@pytest.mark.parametrize(("ours", "theirs", "tolerance"), PAIRS, ids=[repr(ours) for ours, *_ in PAIRS])
def test_a_detector_gives_the_same_scores(ours, theirs, tolerance) -> None:
    found, expected = ours.fit(TRAIN)(TEST), theirs().double()
    assert torch.allclose(found, expected, rtol=tolerance, atol=tolerance)
    assert expected.std() > 20 * tolerance


def test_msp_gives_the_log_odds_of_the_same_probability() -> None:
    probability = -MaxSoftmax(None).predict_logits(TEST.logits.double())
    expected = torch.log((1 - probability) / probability)
    assert torch.allclose(Msp().fit(TRAIN)(TEST), expected, rtol=1e-4)


@pytest.mark.parametrize(("tail", "revised"), [(20, 10), (9, 2)])
def test_openmax_gives_the_log_odds_of_the_same_probability(tail, revised) -> None:
    found = Openmax(tail=tail, revised=revised).fit(TRAIN)(TEST)
    right = TRAIN.logits.argmax(1) == TRAIN.labels  # they take all images for right
    theirs = OpenMax(None, tailsize=tail, alpha=revised)
    expected = theirs.fit_logits(TRAIN.logits[right].double(), TRAIN.labels[right]).predict_logits(
        TEST.logits.double()
    )
    assert torch.allclose(found.sigmoid(), expected, atol=1e-5)
    assert expected.std() > 0.1


def test_the_metrics_of_detection_are_the_same() -> None:
    inside, outside = (-given.logits.amax(1) for given in (TRAIN, TEST))
    metrics = OODMetrics().update(
        torch.cat([inside, outside]), torch.cat([torch.zeros(COUNT), torch.full((COUNT,), -1.0)]).long()
    )
    expected = metrics.compute()
    assert auroc(inside, outside) == pytest.approx(expected["AUROC"])
    assert fpr95(inside, outside, "outside") == pytest.approx(expected["FPR95TPR"])
    # The trapezoid area there against the average precision here: the same but for the ends of the curve.
    assert aupr(inside, outside, "inside") == pytest.approx(expected["AUPR-IN"], abs=0.005)
    assert aupr(inside, outside, "outside") == pytest.approx(expected["AUPR-OUT"], abs=0.005)
