"""One value per detector that can be checked in the head."""

from __future__ import annotations

import math

import pytest
import torch

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
from workloads.detectors.max_logit import MaxLogit
from workloads.detectors.msp import Msp
from workloads.detectors.openmax import Openmax
from workloads.detectors.react import React
from workloads.detectors.relative_mahalanobis import RelativeMahalanobis
from workloads.detectors.scale import Scale
from workloads.detectors.vim import Vim


def seen(*rows: tuple[float, ...], labels: tuple[int, ...] | None = None, classes: int = 2) -> Outputs:
    """Images with these features, which are their logits too."""
    features = torch.tensor(rows, dtype=torch.float32)
    width = features.shape[1]
    given = torch.zeros(len(rows), dtype=torch.int64) if labels is None else torch.tensor(labels)
    return Outputs(features, features, given, classes, torch.eye(width), torch.zeros(width))


def score(detector: Detector, *logits: float, classes: int) -> float:
    outputs = seen(logits, classes=classes)
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


def test_max_logit_is_minus_the_largest_known_logit() -> None:
    assert score(MaxLogit(), 1, 3, 7, classes=2) == -3


def test_entropy_of_two_equal_logits_is_log_two_whatever_the_unknown_output_says() -> None:
    assert score(Entropy(), 4, 4, classes=2) == pytest.approx(math.log(2))
    assert score(Entropy(), 4, 4, 90, classes=2) == pytest.approx(math.log(2))


def test_entropy_is_exact_where_the_probability_rounds_to_one() -> None:
    # p = exp(-50) is left to the other class: p * 50 + p * 1
    assert score(Entropy(), 50, 0, classes=2) == pytest.approx(51 * math.exp(-50), rel=1e-9)


def test_gen_of_two_equal_logits_is_twice_the_root_of_a_quarter() -> None:
    assert score(Gen(gamma=0.5), 0, 0, classes=2) == pytest.approx(1)
    assert score(Gen(gamma=0.5, largest=1), 0, 0, classes=2) == pytest.approx(0.5)


def test_gen_is_exact_where_the_probability_rounds_to_one() -> None:
    assert score(Gen(gamma=0.5), 80, 0, classes=2) == pytest.approx(2 * math.exp(-40), rel=1e-9)


def test_gradnorm_is_the_sum_of_features_times_that_of_the_distances_from_uniform() -> None:
    # probabilities 3/4 and 1/4 are each 1/4 from uniform, the features sum to log 3
    assert score(Gradnorm(), math.log(3), 0, classes=2) == pytest.approx(-math.log(3) / 2)
    assert score(Gradnorm(), 0, 0, classes=2) == 0


def test_gradnorm_is_the_gradient_of_the_divergence_from_uniform() -> None:
    weight = torch.tensor([[1.0, -2], [0.5, 3], [2, 2]], dtype=torch.float64, requires_grad=True)
    features = torch.tensor([[0.3, -0.7]], dtype=torch.float64)
    logits = features @ weight.T
    (-(logits / 2).log_softmax(1).mean()).backward()
    given = Outputs(
        logits.detach(), features, torch.zeros(1).long(), 3, weight.detach(), torch.zeros(3).double()
    )
    found = Gradnorm(temperature=2).fit(given)(given).item()
    assert found == pytest.approx(-float(weight.grad.abs().sum()), rel=1e-9)


def test_the_divergence_of_a_training_image_that_is_alone_in_its_class_is_zero() -> None:
    train = seen((0, math.log(3)), (math.log(3), 0))
    found = KlMatching().fit(train)(seen((0, math.log(3)), (0, 0)))
    # (1/2, 1/2) against (1/4, 3/4): log(1/2) - (log(1/4) + log(3/4)) / 2
    assert found.tolist() == pytest.approx([0, math.log(2 / math.sqrt(3))], abs=1e-6)


def test_typical_probabilities_are_means_over_what_is_taken_for_a_class() -> None:
    train = seen((0, math.log(9)), (0, math.log(3 / 2)), labels=(0, 0))  # 9/10 and 6/10: 3/4 of the second
    found = KlMatching().fit(train)(seen((0, math.log(3))))
    assert found.item() == pytest.approx(0, abs=1e-6)


def test_knn_is_the_distance_on_the_circle_to_the_kth_neighbour() -> None:
    train = seen((1, 0), (0, 5), (-3, 0))
    asked = seen((7, 0), (3, 4))
    assert Knn(k=1).fit(train)(asked).tolist() == pytest.approx([0, math.hypot(0.6, 0.2)])
    assert Knn(k=2).fit(train)(asked).tolist() == pytest.approx([math.sqrt(2), math.hypot(0.4, 0.8)])
    assert Knn(k=3).fit(train)(asked).tolist() == pytest.approx([2, math.hypot(1.6, 0.8)])


#: Two classes with means (0, 0) and (6, 0), of variance 1/2 along each axis around their means.
CROSSES = [(c + x, y) for c in (0, 6) for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))]


def test_mahalanobis_is_the_squared_distance_in_variances_of_a_class() -> None:
    train = seen(*CROSSES, labels=(0,) * 4 + (1,) * 4)
    found = Mahalanobis().fit(train)(seen((0, 0), (7, 0), (2, 1)))
    assert found.tolist() == pytest.approx([0, 2, 10])


def test_a_direction_in_which_the_training_features_do_not_vary_does_not_count() -> None:
    flat = seen(*((x, y, 5.0) for x, y in CROSSES), labels=(0,) * 4 + (1,) * 4)
    asked = seen((2, 1, 5), (2, 1, 9))
    assert Mahalanobis().fit(flat)(asked).tolist() == pytest.approx([10, 10])
    assert RelativeMahalanobis().fit(flat)(asked).tolist() == pytest.approx([10 - 2 / 19 - 2] * 2)


def test_relative_mahalanobis_subtracts_the_distance_to_all_training_images() -> None:
    train = seen(*CROSSES, labels=(0,) * 4 + (1,) * 4)
    found = RelativeMahalanobis().fit(train)(seen((2, 1)))
    # all of them have mean (3, 0), variance 9 + 1/2 along x and 1/2 along y
    assert found.item() == pytest.approx(10 - (1 / 9.5 + 1 / 0.5))


def test_react_cuts_features_at_a_quantile_of_those_of_training() -> None:
    train = seen((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 10))
    found = React(quantile=0.5).fit(train)(seen((100, -1e6)))
    assert found.item() == pytest.approx(-5.5)  # half of 0..10 and 10 are at most 5.5


def test_dice_keeps_the_weights_that_contribute_most() -> None:
    features, weight = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 1.0], [-5.0, 4.0]])
    bias = torch.tensor([0.0, 1])
    train = Outputs(features @ weight.T + bias, features, torch.zeros(1).long(), 2, weight, bias)
    # contributions 3, 2, -5, 8: half of them are kept, 3 and 8
    expected = -math.log(math.exp(3) + math.exp(8 + 1))
    assert Dice(sparsity=0.5).fit(train)(train).item() == pytest.approx(expected)
    assert Dice(sparsity=0).fit(train)(train).item() == pytest.approx(Energy().fit(train)(train).item())


@pytest.mark.parametrize(
    ("variant", "left"),
    [("p", (0, 0, 3, 5)), ("b", (0, 0, 5, 5)), ("s", (0, 0, 3 * math.exp(10 / 8), 5 * math.exp(10 / 8)))],
)
def test_ash_prunes_the_smallest_features_of_each_image(variant, left) -> None:
    outputs = seen((0, 2, 3, 5), classes=4)
    expected = -math.log(sum(math.exp(value) for value in left))
    assert Ash(variant=variant, pruned=0.5).fit(outputs)(outputs).item() == pytest.approx(expected)


def test_scale_prunes_nothing() -> None:
    outputs = seen((0, 2, 3, 5), classes=4)
    expected = -math.log(sum(math.exp(value * math.exp(10 / 8)) for value in (0, 2, 3, 5)))
    assert Scale(pruned=0.5).fit(outputs)(outputs).item() == pytest.approx(expected)


@pytest.mark.parametrize("detector", [Ash(), Ash(variant="b"), Scale()])
def test_an_image_without_any_feature_has_the_energy_of_the_biases(detector) -> None:
    outputs = seen((0, 0), classes=2)
    assert detector.fit(outputs)(outputs).item() == pytest.approx(-math.log(2))


def test_vim_weighs_what_leaves_the_subspace_by_the_largest_logits_of_training() -> None:
    # the third feature is in no logit: 1 or -1 in training, where the largest logit is 8 on average
    weight = torch.eye(3)[:2]
    features = torch.tensor([[8.0, 0, 1], [0, 8, -1], [8, 0, -1], [0, 8, 1]])
    train = Outputs(features @ weight.T, features, torch.tensor([0, 1, 0, 1]), 2, weight, torch.zeros(2))
    asked = torch.tensor([[0.0, 0, 3]])
    far = Outputs(asked @ weight.T, asked, torch.zeros(1).long(), 2, weight, torch.zeros(2))
    assert Vim(dimension=2).fit(train)(far).item() == pytest.approx(8 * 3 - math.log(2))


def test_openmax_gives_the_unknown_class_all_logits_of_classes_that_are_far() -> None:
    # around (4, 0) at distance 1, and around (0, 4): farther is unknown, nearer is known
    train = seen((5, 0), (3, 0), (0, 5), (0, 3), labels=(0, 0, 1, 1))
    found = Openmax(revised=1).fit(train)(seen((4.5, 0), (9, 0)))
    # what is near keeps its logit of 4.5 and leaves none to the unknown; what is far hands all 9 over
    assert found.tolist() == pytest.approx([0 - math.log(math.exp(4.5) + 1), 9 - math.log(2)])


def test_a_class_that_no_training_image_is_rightly_taken_for_is_always_far() -> None:
    train = seen((5, 0), (3, 0), (5, 0), labels=(0, 0, 1))
    found = Openmax(revised=1).fit(train)(seen((0, 4)))
    assert found.item() == pytest.approx(4 - math.log(2))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Energy(temperature=0.0), r"temperature must be above 0, got 0\.0"),
        (lambda: Gradnorm(temperature=0), "temperature must be above 0, got 0"),
        (lambda: Gen(gamma=1), r"gamma must be in \(0, 1\), got 1"),
        (lambda: Gen(largest=0), "largest must be at least 1, got 0"),
        (lambda: Knn(k=0), "k must be at least 1, got 0"),
        (lambda: Openmax(tail=1), "tail must be at least 2, got 1"),
        (lambda: Openmax(revised=0), "revised must be at least 1, got 0"),
        (lambda: Vim(dimension=0), "dimension must be at least 1, got 0"),
        (lambda: React(quantile=1), r"quantile must be in \[0, 1\), got 1"),
        (lambda: Dice(sparsity=-0.1), r"sparsity must be in \[0, 1\), got -0\.1"),
        (lambda: Ash(pruned=1), r"pruned must be in \[0, 1\), got 1"),
        (lambda: Scale(pruned=1), r"pruned must be in \[0, 1\), got 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize(
    ("detector", "train", "sentence"),
    [
        (Knn(k=3), seen((1, 0), (0, 1)), "k must be at most the number of training images, 2, got 3"),
        (RelativeMahalanobis(), seen((1, 0), (0, 1)), "images of at least 2 classes, got 1"),
        (Openmax(), seen((1, 0), (0, 1)), "a class that at least 2 training images are rightly taken for"),
        (Vim(dimension=2), seen((1, 0), (0, 1)), "dimension must be below 2"),
        (Vim(dimension=1), seen((-1, 0, 3), (0, -1, 2)), "has a mean above 0, got 0"),
    ],
)
def test_training_images_that_cannot_be_fitted_are_refused(detector, train, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        detector.fit(train)


@pytest.mark.parametrize("detector", [Ash(), Scale()])
def test_shaping_of_negative_features_is_refused(detector) -> None:
    outputs = seen((-0.5, 2))
    with pytest.raises(ValueError, match=r"needs features that are not negative.*got -0\.5"):
        detector.fit(outputs)(outputs)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_outputs_that_are_no_numbers_are_refused(bad) -> None:
    with pytest.raises(ValueError, match="logits must be finite numbers, got others for 2 of 3 images"):
        seen((bad, bad), (1, 0), (0, bad))


def test_outputs_of_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one image, got none"):
        Outputs(torch.zeros(0, 2), torch.zeros(0, 2), torch.zeros(0).long(), 2, torch.eye(2), torch.zeros(2))


def test_a_head_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="from 3 features to 2 logits"):
        Outputs(torch.ones(1, 2), torch.ones(1, 3), torch.zeros(1).long(), 2, torch.eye(2), torch.zeros(2))
