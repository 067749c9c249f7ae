"""Each criterion's scores against its formula, computed in another way and in float64."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch.nn.functional import cross_entropy

from orchestrator.build import find
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.datasets.base import LearningData, Split
from workloads.datasets.digits import Digits
from workloads.masks import prunable
from workloads.pruning._samples import balanced
from workloads.pruning.crop import Crop
from workloads.pruning.crop_iterative import CropIterative
from workloads.pruning.fisher import Fisher
from workloads.pruning.grasp import Grasp
from workloads.pruning.lamp import Lamp
from workloads.pruning.snip import Snip
from workloads.pruning.snip_iterative import SnipIterative
from workloads.pruning.synflow import Synflow
from workloads.pruning.taylor import Taylor
from workloads.sparsity.base import Allocation
from workloads.sparsity.lamp import lamp

CPU = torch.device("cpu")
CLASSES, PER_CLASS = 3, 4


@pytest.fixture(scope="module")
def data():
    """Grey images of 2x2 pixels in three classes, as many of each as are asked for."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.arange(CLASSES).repeat(PER_CLASS)
    images = torch.randint(0, 256, (len(labels), 1, 2, 2), dtype=torch.uint8, generator=generator)
    split = Split(images, labels)
    return LearningData(split, split, CLASSES, "")


@pytest.fixture
def network():
    return Mlp(hidden=(3,)).network((1, 2, 2), CLASSES, 1)


class Formula:
    """The network as plain matrices in float64: logits of all images as a function of all weights at once."""

    def __init__(self, network, data):
        double = copy.deepcopy(network).double()
        self.images = (data.train.images.flatten(1).double() / 255 - double.mean) / double.std
        self.labels = data.train.labels
        self.bias = [double.body.hidden1.bias.detach(), double.head.bias.detach()]
        weights = [weight.detach() for weight in prunable(double).values()]
        self.shapes = [weight.shape for weight in weights]
        self.flat = torch.cat([weight.flatten() for weight in weights])

    def loss(self, flat, places=slice(None), temperature=1.0):
        first, second = (
            part.view(shape)
            for part, shape in zip(flat.split([s.numel() for s in self.shapes]), self.shapes, strict=True)
        )
        hidden = (self.images[places] @ first.T + self.bias[0]).relu()
        return cross_entropy((hidden @ second.T + self.bias[1]) / temperature, self.labels[places])

    def gradient(self, **how):
        return torch.autograd.functional.jacobian(lambda flat: self.loss(flat, **how), self.flat)

    def hessian(self, **how):
        return torch.autograd.functional.hessian(lambda flat: self.loss(flat, **how), self.flat)


def flat(scores):
    return torch.cat([score.flatten() for score in scores.values()]).double()


def agree(scores, expected, rtol=1e-4):
    assert expected.abs().max() > 0
    torch.testing.assert_close(flat(scores), expected, rtol=rtol, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("criterion", [Snip(per_class=PER_CLASS), SnipIterative(per_class=PER_CLASS)])
def test_snip_is_weight_times_gradient(criterion, network, data):
    formula = Formula(network, data)
    agree(criterion.scores(network, data, 0), (formula.flat * formula.gradient()).abs())


@pytest.mark.parametrize("criterion", [Crop(per_class=PER_CLASS), CropIterative(per_class=PER_CLASS)])
def test_crop_is_weight_times_the_hessian_times_the_gradient(criterion, network, data):
    formula = Formula(network, data)
    agree(criterion.scores(network, data, 0), (formula.flat * (formula.hessian() @ formula.gradient())).abs())


def test_weights_that_are_gone_take_no_part_in_the_gradient_flow(network, data):
    with torch.no_grad():
        network.body.hidden1.weight[:, 0] = 0
    formula = Formula(network, data)
    flow = formula.gradient() * (formula.flat != 0)
    assert not torch.equal(flow, formula.gradient())
    agree(
        Crop(per_class=PER_CLASS).scores(network, data, 0), (formula.flat * (formula.hessian() @ flow)).abs()
    )


def halves(data):
    """Where the images of the two halves of a balanced draw stand in the split."""
    drawn = balanced(data.train, PER_CLASS, 0, CPU).images
    places = [
        next(place for place, own in enumerate(data.train.images) if torch.allclose(own.float() / 255, image))
        for image in drawn
    ]
    assert sorted(places) == list(range(len(data.train)))
    return places[: len(places) // 2], places[len(places) // 2 :]


def test_grasp_keeps_the_highest_weight_times_hessian_times_gradient_of_two_halves(network, data):
    formula = Formula(network, data)
    parts = [{"places": half, "temperature": 20.0} for half in halves(data)]
    flow = sum(formula.gradient(**part) for part in parts)
    expected = formula.flat * (sum(formula.hessian(**part) for part in parts) @ flow)
    criterion = Grasp(per_class=PER_CLASS, temperature=20.0)
    agree(criterion.scores(network, data, 0), expected)
    inverted = Grasp(per_class=PER_CLASS, temperature=20.0, direction="inverted")
    agree(inverted.scores(network, data, 0), -expected)


def test_grasp_removes_the_highest_of_the_papers_scores_and_the_inverted_reading_the_lowest(network, data):
    formula = Formula(network, data)
    parts = [{"places": half, "temperature": 200.0} for half in halves(data)]
    flow = sum(formula.gradient(**part) for part in parts)
    paper = -formula.flat * (sum(formula.hessian(**part) for part in parts) @ flow)
    kept = {}
    for direction in ("official", "inverted"):
        scores = Grasp(per_class=PER_CLASS, direction=direction).scores(network, data, 0)
        kept[direction] = flat(find(Allocation, "global")().masks(scores, 0.5)).bool()
    assert paper[~kept["official"]].min() >= paper[kept["official"]].max()
    assert paper[kept["inverted"]].min() >= paper[~kept["inverted"]].max()


def test_taylor_averages_the_squares_of_batches(network, data):
    formula = Formula(network, data)
    squares = [(formula.flat * formula.gradient(places=half)).square() for half in halves(data)]
    agree(Taylor(per_class=PER_CLASS, batches=2).scores(network, data, 0), sum(squares) / 2)


def test_fisher_averages_the_squared_gradients_of_single_images(network, data):
    formula = Formula(network, data)
    squares = [formula.gradient(places=[place]).square() for place in range(len(data.train))]
    agree(
        Fisher(per_class=PER_CLASS).scores(network, data, 0),
        formula.flat.square() * sum(squares) / len(squares) / 2,
    )


def test_lamp_divides_by_the_squares_that_are_not_smaller():
    weight = torch.tensor([[0.1, -0.2], [0.3, 0.4]])
    assert lamp(weight).flatten().tolist() == pytest.approx([0.0333, 0.1379, 0.36, 1.0], abs=5e-5)
    assert lamp(torch.zeros(2, 2)).tolist() == [[0, 0], [0, 0]]


def test_lamp_scores_the_largest_weight_of_every_layer_with_one(data):
    scores = Lamp().scores(Resnet8(width=4).network((1, 8, 8), 10, 0), data, 0)
    assert all(float(score.max()) == 1 for score in scores.values())


def test_the_flow_through_a_linear_chain_is_the_product_of_what_is_before_and_behind(data):
    network = Mlp(hidden=(3, 5)).network((1, 2, 2), CLASSES, 1)
    network.mean.fill_(0.4)
    network.std.fill_(0.2)  # the flow starts behind the normalisation
    first, second, third = (weight.detach().double().abs() for weight in prunable(network).values())
    ones = torch.ones(4, dtype=torch.float64)
    before = [ones, first @ ones, second @ first @ ones]
    behind = [torch.ones(CLASSES).double() @ third @ second, torch.ones(CLASSES).double() @ third]
    behind.append(torch.ones(CLASSES, dtype=torch.float64))
    expected = [
        weight * after[:, None] * ahead
        for weight, ahead, after in zip((first, second, third), before, behind, strict=True)
    ]
    scores = Synflow().scores(network, data, 0)
    for score, wanted in zip(scores.values(), expected, strict=True):
        assert score.dtype == torch.float64
        torch.testing.assert_close(score, wanted, rtol=1e-12, atol=0)
    flows = [float(score.sum()) for score in scores.values()]
    assert flows == pytest.approx([flows[0]] * 3)  # what the paper calls conservation


def test_synflow_takes_the_absolute_value_of_batch_norm_and_biases_too(data):
    network = Resnet8(width=4).network((1, 8, 8), 10, 0)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith(("norm.weight", "norm.bias", "running_mean")):
                tensor.fill_(-0.5)
    scores = Synflow().scores(network, data, 0)
    positive = copy.deepcopy(network)
    for tensor in positive.state_dict().values():
        tensor.abs_()
    assert all(torch.equal(score, scores[n]) for n, score in Synflow().scores(positive, data, 0).items())
    assert float(scores["head.weight"].sum()) > 0


@pytest.mark.parametrize("criterion", [SnipIterative(), CropIterative()])
def test_the_rounds_of_the_iterative_criteria_halve_the_way(criterion):
    assert criterion.rounds(0.98) == pytest.approx([0.5, 0.74, 0.86, 0.92, 0.95, 0.965, 0.98])
    assert criterion.rounds(0.5) == pytest.approx([0.25, 0.375, 0.4375, 0.46875, 0.484375, 0.4921875, 0.5])
    assert criterion.rounds(0.2) == (0.2,)
    assert all(criterion.rounds(level)[-1] == level for level in (0.3, 0.7, 0.999))


def test_the_rounds_of_synflow_leave_the_same_share_each():
    levels = Synflow().rounds(0.99)
    assert (len(levels), levels[-1]) == (100, 0.99)
    assert levels[49] == pytest.approx(0.9)
    left = [1.0, *(1 - level for level in levels)]
    assert [now / before for before, now in itertools.pairwise(left)] == pytest.approx([0.01**0.01] * 100)


def test_samples_are_balanced_and_come_from_the_training_split():
    data = Digits().learning()
    samples = balanced(data.train, 7, 0, CPU)
    assert torch.bincount(samples.labels).tolist() == [7] * 10
    assert [torch.bincount(part.labels, minlength=10).max() for part in samples.parts(7)] == [1] * 7
    known = {image.numpy().tobytes() for image in data.train.images}
    drawn = {image.numpy().tobytes() for image in (samples.images * 255).round().to(torch.uint8)}
    assert drawn <= known
    assert len(drawn) == 70
    assert not torch.equal(samples.images, balanced(data.train, 7, 1, CPU).images)


def test_a_class_with_few_images_comes_round_again():
    split = Split(torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1), torch.tensor([0, 1, 1]))
    samples = balanced(split, 4, 0, CPU)
    drawn = (samples.images.flatten() * 255).round().int()
    assert samples.labels.tolist() == [0, 1] * 4
    assert drawn[samples.labels == 0].tolist() == [0] * 4
    assert sorted(drawn[samples.labels == 1].tolist()) == [1, 1, 2, 2]


@pytest.mark.parametrize("criterion", [Snip, Crop, Grasp, Taylor, Fisher, SnipIterative])
def test_a_criterion_that_would_see_no_image_is_refused(criterion):
    with pytest.raises(ValueError, match="per_class must be at least 1, got 0"):
        criterion(per_class=0)


@pytest.mark.parametrize(
    ("criterion", "fields", "rule"),
    [
        (Grasp, {"temperature": 0.0}, "temperature must be positive"),
        (Synflow, {"iterations": 0}, "iterations must be at least 1"),
        (Taylor, {"batches": 0}, "batches must be at least 1"),
        (CropIterative, {"steps": -1}, "steps must not be negative"),
    ],
)
def test_impossible_settings_are_refused(criterion, fields, rule):
    with pytest.raises(ValueError, match=rule):
        criterion(**fields)
