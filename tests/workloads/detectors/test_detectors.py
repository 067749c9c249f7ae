"""What every detector promises, for every file that exists."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from orchestrator.build import build, names
from workloads.detectors.base import Detector, Outputs
from workloads.metrics.auroc import auroc
from workloads.randomness import normal

NAMES = names(Detector)
CLASSES, WIDTH = 4, 6
#: A head that gives each class a direction of its own, and the unknown output none.
HEAD = torch.cat([torch.eye(WIDTH)[:CLASSES], torch.zeros(1, WIDTH)])
#: Settings for these few features, where those of the papers leave nothing.
SETTINGS = {"dice": {"sparsity": 0.8}, "vim": {"dimension": CLASSES}, "openmax": {"tail": 5}}


def detector(name: str) -> Detector:
    return build(Detector, {"name": name, **SETTINGS.get(name, {})})


def outputs(count: int, strength: float, seed: int = 0, elsewhere: float = 0) -> Outputs:
    """Images whose features lie ``strength`` along the direction of their class, with some noise.

    ``elsewhere`` is how far they lie along a direction of no class.
    """
    samples, labels = torch.arange(count), torch.arange(count) % CLASSES
    features = 1 + strength * torch.eye(WIDTH)[labels] + 0.2 * normal(seed, samples, (WIDTH,))
    features[:, CLASSES] += elsewhere
    return head_on(features, labels)


def head_on(features: Tensor, labels: Tensor) -> Outputs:
    return Outputs(features @ HEAD.T, features, labels, CLASSES, HEAD, torch.zeros(CLASSES + 1))


def taken(found: Outputs, places: Tensor) -> Outputs:
    return head_on(found.features[places], found.labels[places])


@pytest.mark.parametrize("name", NAMES)
def test_far_images_get_higher_scores_than_near_ones(name) -> None:
    score = detector(name).fit(outputs(200, strength=8))
    near, far = score(outputs(50, strength=8, seed=1)), score(outputs(50, strength=0, seed=2, elsewhere=8))
    assert near.shape == far.shape == (50,)
    # an image at the edge of its class hands openmax large logits, one from elsewhere small ones
    assert auroc(near, far) > (0.8 if name == "openmax" else 0.9999)


@pytest.mark.parametrize("name", NAMES)
def test_scores_belong_to_images_and_not_to_batches(name) -> None:
    score = detector(name).fit(outputs(100, strength=8))
    test = outputs(60, strength=3, seed=1)
    together = score(test)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(score(taken(test, order)), together[order], rtol=1e-9)
    alone = torch.cat([score(taken(test, torch.tensor([place]))) for place in range(60)])
    assert torch.allclose(alone, together, rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_training_images_does_not_matter(name) -> None:
    train, test = outputs(100, strength=8), outputs(30, strength=3, seed=1)
    backwards = taken(train, torch.arange(100).flip(0))
    assert torch.allclose(detector(name).fit(train)(test), detector(name).fit(backwards)(test), rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_finite_fine_and_without_a_graph(name) -> None:
    score = detector(name).fit(outputs(100, strength=8))
    found = score(outputs(50, strength=100, seed=1))  # sure far beyond what float32 tells from 1
    assert found.dtype == torch.float64
    assert found.isfinite().all()
    assert not found.requires_grad
    if name != "kl_matching":  # the divergence from a typical one has a limit, which it reaches
        assert len(found.unique()) == 50


@pytest.mark.parametrize("name", NAMES)
def test_no_global_stream_is_touched_and_the_outputs_are_left_alone(name) -> None:
    before, test = torch.random.get_rng_state(), outputs(20, strength=3)
    kept = test.logits.clone(), test.features.clone()
    detector(name).fit(outputs(100, strength=8))(test)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(test.logits, kept[0])
    assert torch.equal(test.features, kept[1])


def defined(name: str, train: Outputs, test: Outputs) -> bool:
    """Whether the scores are numbers; the other way to be well behaved is a sentence about the images."""
    try:
        found = detector(name).fit(train)(test)
    except ValueError as error:
        assert len(str(error).split()) > 5
        return True
    return not bool(found.isnan().any())


@pytest.mark.parametrize("name", NAMES)
def test_images_that_are_all_alike_have_defined_scores_or_are_refused(name) -> None:
    alike = head_on(torch.ones(60, WIDTH), torch.arange(60) % CLASSES)
    assert defined(name, alike, alike)
    assert defined(name, alike, outputs(30, strength=3))
    assert defined(name, outputs(100, strength=8), alike)


@pytest.mark.parametrize("name", NAMES)
def test_images_without_any_feature_have_defined_scores_or_are_refused(name) -> None:
    empty = head_on(torch.zeros(60, WIDTH), torch.arange(60) % CLASSES)
    assert defined(name, empty, empty)
    assert defined(name, outputs(100, strength=8), empty)


@pytest.mark.parametrize("name", NAMES)
def test_one_class_has_defined_scores_or_is_refused(name) -> None:
    def of_one(given: Outputs) -> Outputs:
        weight = torch.eye(WIDTH)[:1]
        features = given.features
        labels = torch.zeros(len(features), dtype=torch.int64)
        return Outputs(features @ weight.T, features, labels, 1, weight, torch.zeros(1))

    assert defined(name, of_one(outputs(100, strength=8)), of_one(outputs(30, strength=3)))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_logits_that_are_no_numbers_never_reach_a_detector(bad) -> None:
    features = torch.ones(3, WIDTH)
    features[1, 0] = bad
    with pytest.raises(ValueError, match="must be finite numbers, got others for 1 of 3 images"):
        head_on(features, torch.zeros(3, dtype=torch.int64))
