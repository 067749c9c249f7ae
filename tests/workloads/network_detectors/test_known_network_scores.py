"""Detectors that ask the network, against plain formulas and pytorch-ood, with values known by hand."""

from __future__ import annotations

import math
from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from workloads.architectures.base import Network
from workloads.architectures.mlp import Mlp
from workloads.masks import prunable
from workloads.network_detectors.base import Seen
from workloads.network_detectors.batch_msp import BatchMsp
from workloads.network_detectors.odin import Odin
from workloads.network_detectors.sensnorm import Sensnorm
from workloads.randomness import normal, uniform

CPU = torch.device("cpu")
SHAPE, CLASSES = (1, 3, 3), 3


def quiet(said: str) -> None:
    raise AssertionError(said)


def images(count: int, seed: int = 0):
    return uniform(seed, torch.arange(count), SHAPE)


def without_biases() -> Network:
    """Two hidden ReLU layers, no biases anywhere."""
    layers = OrderedDict(
        flatten=nn.Flatten(),
        hidden1=nn.Linear(9, 8, bias=False),
        relu1=nn.ReLU(),
        hidden2=nn.Linear(8, 7, bias=False),
        relu2=nn.ReLU(),
    )
    network = Network(nn.Sequential(layers), nn.Linear(7, CLASSES, bias=False), SHAPE, CLASSES)
    with torch.no_grad():
        for place, weight in enumerate(prunable(network).values()):
            weight.copy_(normal(place, torch.arange(len(weight)), tuple(weight.shape[1:])))
    return network.eval()


def linear(*rows: tuple[float, ...], classes: int | None = None) -> Network:
    """The logits are these rows times the pixels, without biases."""
    network = Mlp(hidden=()).network((1, 1, len(rows[0])), len(rows), 0).eval()
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor(rows))
        network.head.bias.zero_()
    network.classes = classes or len(rows)
    return network


def seen(*rows: tuple[float, ...], labels: tuple[int, ...]) -> Seen:
    return Seen(pixels(*rows), torch.tensor(labels), CPU)


def pixels(*rows: tuple[float, ...]):
    return torch.tensor(rows, dtype=torch.float32)[:, None, None, :]


def reference(network: Network, given, labels=None, loss: str = "nll"):
    """The sensitivities by a plain backward pass in float64, by layer."""
    logits = network.double()(given.double())
    labels = logits[:, : network.classes].argmax(1) if labels is None else labels
    if loss == "nll":
        mean = -logits[torch.arange(len(labels)), labels].mean()
    else:
        mean = cross_entropy(logits, labels)
    weights = list(prunable(network).values())
    slopes = torch.autograd.grad(mean, weights)
    found = [(weight * slope / (mean + 1e-8)).detach() for weight, slope in zip(weights, slopes, strict=True)]
    network.float()
    return found


@pytest.mark.parametrize("loss", ["nll", "cross_entropy"])
@pytest.mark.parametrize("p", [1.0, 2.0, 5.0, "inf"])
def test_sensnorm_is_the_mean_norm_of_differences_of_elasticities(loss, p) -> None:
    network, train, test = without_biases(), images(600), images(8, seed=1)
    labels = torch.arange(600) % CLASSES
    found = Sensnorm(4, p, loss).fit(network, Seen(train, labels, CPU), quiet)(test)
    one = reference(network, train, labels, loss)
    for score, part in zip(found, torch.split(test, 4), strict=True):
        other = reference(network, part, loss=loss)
        norms = [(a - b).abs().flatten() for a, b in zip(one, other, strict=True)]
        norms = [n.max() if p == "inf" else (n**p).sum() ** (1 / p) for n in norms]
        assert score.item() == pytest.approx(torch.stack(norms).mean().item(), rel=1e-4)


def test_sensnorm_of_a_linear_network_can_be_computed_by_hand() -> None:
    network = linear((1, 0), (0, 1))
    train = seen((1, 0), (0, 1), labels=(0, 1))
    # the mean logit of the labels is 1: half of it comes from either weight
    score = Sensnorm(batch_size=1, p=1).fit(network, train, quiet)
    # an image of class 0 alone: all of it comes from the first weight, 1/2 more and 1/2 less
    assert score(pixels((1, 0))).item() == pytest.approx(1, abs=1e-6)
    assert Sensnorm(1, 5).fit(network, train, quiet)(pixels((1, 0))).item() == pytest.approx(
        2 ** (1 / 5) / 2, abs=1e-6
    )


@pytest.mark.parametrize("loss", ["nll", "cross_entropy"])
def test_the_training_images_themselves_are_at_distance_zero(loss) -> None:
    network, train = without_biases(), images(40)
    labels = network(train).argmax(1)
    score = Sensnorm(batch_size=40, loss=loss).fit(network, Seen(train, labels, CPU), quiet)
    assert score(train.flip(0)).item() == pytest.approx(0, abs=1e-6)
    assert score(images(40, seed=1)).item() > 1e-3


def test_scaling_a_layer_of_a_network_without_biases_leaves_the_distance_unchanged() -> None:
    train, test = images(40), images(20, seed=1)
    labels = torch.arange(40) % CLASSES
    scores = []
    for factor in (1, 0.3, 7):
        network = without_biases()
        with torch.no_grad():
            network.body.hidden2.weight.mul_(factor)
        scores.append(Sensnorm().fit(network, Seen(train, labels, CPU), quiet)(test))
    assert torch.allclose(scores[0], scores[1], rtol=1e-4)
    assert torch.allclose(scores[0], scores[2], rtol=1e-4)


def test_the_smallest_sensitivities_of_the_training_images_are_left_out_on_both_sides() -> None:
    network = linear((1, 1, 1), (0, 0, 0))
    train = seen((4, 2, 1), labels=(0,))  # sensitivities 4/7, 2/7, 1/7 of the first row
    test = pixels((1, 1, 2))  # 1/4, 1/4, 1/2
    shared, own = (
        Sensnorm(1, 1, masked=2 / 3, mask=mask).fit(network, train, quiet)(test).item()
        for mask in ("shared", "own")
    )
    # of six weights two are left: the first and second of training, the third and first of the batch
    assert shared == pytest.approx(abs(4 / 7 - 1 / 4) + abs(2 / 7 - 1 / 4), abs=1e-6)
    assert own == pytest.approx(abs(4 / 7 - 1 / 4) + 2 / 7 + 1 / 2, abs=1e-6)


def test_a_pruned_weight_has_no_sensitivity_so_its_mask_changes_nothing() -> None:
    network, train, test = without_biases(), images(40), images(20, seed=1)
    labels = torch.arange(40) % CLASSES
    with torch.no_grad():
        for weight in prunable(network).values():
            weight.flatten()[::2] = 0
    gone = sum(int((weight == 0).sum()) for weight in prunable(network).values())
    share = gone / sum(weight.numel() for weight in prunable(network).values())
    plain, masked = (
        Sensnorm(masked=q).fit(network, Seen(train, labels, CPU), quiet)(test) for q in (0.0, share)
    )
    assert torch.allclose(plain, masked, rtol=1e-9)


def test_standardised_differences_are_in_deviations_over_training_batches() -> None:
    network = linear((1, 1), (0, 0))
    # two batches of one: shares (3/4, 1/4) and (1/4, 3/4), deviations 1/4 each around 1/2
    train = seen((3, 1), (1, 3), labels=(0, 0))
    score = Sensnorm(1, 1, standardise=True).fit(network, train, quiet)
    assert score(pixels((1, 0))).item() == pytest.approx(2 + 2, rel=1e-5)
    with pytest.raises(ValueError, match="at least 2 batches of 3 training images, got 2"):
        Sensnorm(3, standardise=True).fit(network, train, quiet)


def test_augmentations_make_a_batch_of_an_image_with_its_flips_and_turns() -> None:
    network, train = without_biases(), images(40)
    labels = torch.arange(40) % CLASSES
    one = images(1, seed=1)
    turned = [one, one.flip(-1), one.flip(-2), *(torch.rot90(one, k, (2, 3)) for k in (1, 2, 3))]
    many = Sensnorm(batch_size=6).fit(network, Seen(train, labels, CPU), quiet)(torch.cat(turned))
    alone = Sensnorm(batch_size=1, augmentations=True).fit(network, Seen(train, labels, CPU), quiet)(one)
    assert torch.allclose(many, alone, rtol=1e-6)
    with pytest.raises(ValueError, match=r"images as high as wide, got \(1, 2\)"):
        wide = linear((1, 0), (0, 1))
        Sensnorm(augmentations=True).fit(wide, seen((1, 0), labels=(0,)), quiet)(pixels((1, 0)))


def test_a_loss_of_almost_nothing_is_said() -> None:
    network, said = linear((1, 0), (0, 1)), []
    score = Sensnorm(batch_size=1).fit(network, seen((1, 0), labels=(0,)), said.append)
    assert score(pixels((0, 0), (1, 0))).isfinite().all()
    (sentence,) = said
    assert sentence.startswith("the loss of a batch is below 0.001 of that of the training images")


def test_the_label_of_a_batch_is_a_known_class() -> None:
    network = linear((1, 0), (0, 1), (5, 5), classes=2)
    score = Sensnorm(batch_size=1, p=1).fit(network, seen((1, 0), labels=(0,)), quiet)
    assert score(pixels((1, 0))).item() == pytest.approx(0, abs=1e-6)


def test_odin_of_a_linear_network_can_be_computed_by_hand() -> None:
    network = linear((1, 0), (0, 1))
    # the step adds 0.1 to the first pixel and takes it from the second: logits 0.8 and 0.2
    found = Odin(temperature=2, epsilon=0.1).fit(network, seen((1, 0), labels=(0,)), quiet)
    assert found(pixels((0.7, 0.3))).item() == pytest.approx((0.2 - 0.8) / 2, abs=1e-6)


def test_odin_gives_the_log_odds_of_the_probability_in_pytorch_ood() -> None:
    from pytorch_ood.detector import ODIN

    network, test = without_biases(), images(50)
    for temperature, epsilon in ((1000.0, 0.0014), (3.0, 0.05)):
        found = Odin(temperature, epsilon).fit(network, Seen(test, torch.zeros(50), CPU), quiet)(test)
        theirs = -ODIN(network.double(), eps=epsilon, temperature=temperature).predict(test.double())
        network.float()
        assert torch.allclose(found, torch.log((1 - theirs) / theirs), rtol=1e-4, atol=1e-6)


def test_odin_without_a_step_is_the_maximum_probability_over_all_outputs() -> None:
    network = linear((1, 0), (0, 1), (2, 2), classes=2)
    found = Odin(temperature=1, epsilon=0).fit(network, seen((1, 0), labels=(0,)), quiet)
    # e^3 is known against e^1 of the other class and e^8 of the unknown
    assert found(pixels((3, 1))).item() == pytest.approx(math.log(math.e + math.exp(8)) - 3, rel=1e-6)


def test_batch_msp_is_the_mean_of_what_is_left_to_other_classes() -> None:
    network = linear((1, 0), (0, 1))
    score = BatchMsp(batch_size=2).fit(network, seen((1, 0), labels=(0,)), quiet)
    # probabilities 3/4 and 1/2, and two that float32 rounds to 1
    found = score(pixels((math.log(3), 0), (0, 0), (60, 0), (50, 0)))
    assert found.tolist() == pytest.approx([(1 / 4 + 1 / 2) / 2, math.exp(-50) / 2], rel=1e-4)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Sensnorm(p=0.5), r"p must be inf or at least 1, got 0\.5"),
        (lambda: Sensnorm(masked=1), r"masked must be in \[0, 1\), got 1"),
        (lambda: Odin(temperature=0), "temperature must be above 0, got 0"),
        (lambda: Odin(epsilon=-1), "epsilon must not be negative, got -1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()
