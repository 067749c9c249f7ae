"""What every detector that asks the network promises, for every file that exists."""

from __future__ import annotations

import pytest
import torch

from orchestrator.build import build, find, names
from workloads.architectures.mlp import Mlp
from workloads.metrics.auroc import auroc
from workloads.network_detectors.base import NetworkDetector, Seen
from workloads.randomness import normal

NAMES = names(NetworkDetector)
CLASSES, SHAPE = 4, (1, 4, 4)
CPU = torch.device("cpu")


def detector(name: str, **fields) -> NetworkDetector:
    return build(NetworkDetector, {"name": name, **fields})


def images(count: int, seed: int, noise: float = 0.1, pattern: float = 1.0) -> Seen:
    """Images that show one of four bright rows, and noise; without the ``pattern`` noise alone."""
    labels = torch.arange(count) % CLASSES
    shown = 0.1 + noise * normal(seed, torch.arange(count), SHAPE)
    shown[torch.arange(count), :, labels] += 0.7 * pattern
    return Seen(shown.clamp(0, 1), labels, CPU)


@pytest.fixture(scope="module")
def network():
    """A small network that has learned the rows well, with an output for what is unknown."""
    found = Mlp(hidden=(16,), unknown_outputs=1).network(SHAPE, CLASSES, seed=0)
    train = images(200, seed=0)
    optimizer = torch.optim.Adam(found.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(found(train.images), train.labels).backward()
        optimizer.step()
    optimizer.zero_grad()
    return found.eval()


def fitted(name, network, train=None, **fields):
    return detector(name, **fields).fit(network, train or images(200, seed=0), lambda said: None)


@pytest.mark.parametrize("name", NAMES)
def test_far_images_get_higher_scores_than_near_ones(name, network) -> None:
    score, count = fitted(name, network), detector(name).images_per_score
    near, far = score(images(200, seed=1).images), score(images(200, seed=2, pattern=0).images)
    assert near.shape == far.shape == (200 // count,)
    assert auroc(near, far) > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_images_in_a_batch_and_of_the_training_images_does_not_matter(name, network) -> None:
    count, train = detector(name).images_per_score, images(200, seed=0)
    test = images(count, seed=1, noise=0.3).images
    backwards = Seen(train.images.flip(0), train.labels.flip(0), CPU)
    found, turned = fitted(name, network)(test), fitted(name, network, backwards)(test.flip(0))
    assert torch.allclose(found, turned, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_score_belongs_to_its_batch_alone(name, network) -> None:
    count, score = detector(name).images_per_score, fitted(name, network)
    test = images(6 * count, seed=1, noise=0.3).images
    alone = torch.cat([score(part) for part in torch.split(test, count)])
    assert torch.allclose(alone, score(test), rtol=1e-5)
    assert len(alone.unique()) == 6


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_float64_and_without_a_graph(name, network) -> None:
    count = detector(name).images_per_score
    found = fitted(name, network)(images(3 * count, seed=1).images)
    assert found.dtype == torch.float64
    assert found.isfinite().all()
    assert not found.requires_grad


@pytest.mark.parametrize("name", NAMES)
def test_the_network_the_images_and_the_global_stream_are_left_alone(name, network) -> None:
    before, state = torch.random.get_rng_state(), {k: v.clone() for k, v in network.state_dict().items()}
    test = images(20, seed=1)
    kept = test.images.clone()
    fitted(name, network)(test.images)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(test.images, kept)
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert all(weight.requires_grad and weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_it_works_in_a_process_without_gradients(name, network) -> None:
    test = images(20, seed=1).images
    expected = fitted(name, network)(test)
    with torch.no_grad():
        assert torch.equal(fitted(name, network)(test), expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_one_class_and_one_training_label_has_defined_scores(name) -> None:
    one = Mlp(hidden=(5,)).network(SHAPE, 1, seed=0).eval()
    train = images(40, seed=0)
    score = fitted(name, one, Seen(train.images, torch.zeros(40, dtype=torch.int64), CPU))
    found = score(images(20, seed=1).images)
    assert not found.isnan().any()


@pytest.mark.parametrize("name", ["batch_msp", "sensnorm"])
def test_a_batch_may_be_one_image(name, network) -> None:
    assert fitted(name, network, batch_size=1)(images(7, seed=1).images).shape == (7,)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        find(NetworkDetector, name)(batch_size=0)
