"""The unknown-aware objective against values by hand, the derived gradient, and the published schedule."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from orchestrator.build import build
from orchestrator.errors import SpecError
from workloads.architectures.mlp import Mlp
from workloads.objectives.base import Batch, Objective
from workloads.objectives.unknown_aware import UnknownAware

LOGITS, KNOWN = (1.0, 2.0, 0.5, -1.0), 3


def network_of(*logits, unknown=1):
    """A network that says the same of every image, whose logits are its biases."""
    classes = len(logits) - unknown
    network = Mlp(hidden=(), unknown_outputs=unknown).network((1, 1, 1), classes, 0).train()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor(logits))
    return network


def batch_of(*labels, epoch=50, epochs=100):
    count = len(labels)
    images, samples = torch.zeros(count, 1, 1, 1), torch.arange(count)
    return Batch(images, torch.tensor(labels), samples, 0, epoch, epochs, epoch, epochs)


@pytest.mark.parametrize(
    ("alpha", "expected"), [(0, 1.495182), (0.0125, 1.513865), (0.5, 2.231600), (1, 2.946331)]
)
def test_a_wrong_answer_costs_what_it_costs_by_hand(alpha, expected):
    loss = UnknownAware(alpha=alpha).loss(network_of(*LOGITS), batch_of(0), {})
    # alpha 0 is weight 1 + 0: the plain loss
    assert loss.item() == pytest.approx(expected, abs=2e-6)


def test_a_right_answer_costs_the_plain_loss_whatever_alpha_is():
    loss = UnknownAware(alpha=7).loss(network_of(*LOGITS), batch_of(1), {})
    assert loss.item() == pytest.approx(cross_entropy(torch.tensor([LOGITS]), torch.tensor([1])).item())


def test_the_unknown_logit_can_be_the_largest_and_makes_the_answer_wrong():
    network = network_of(1.0, 0.0, 2.0)
    plain = cross_entropy(torch.tensor([[1.0, 0.0, 2.0]]), torch.tensor([0])).item()
    p = math.exp(2) / (math.exp(2) + math.e + 1)
    loss = UnknownAware(alpha=1).loss(network, batch_of(0), {})
    assert loss.item() == pytest.approx(plain * (1 + 1 / (1 + p)), rel=1e-6)


def test_the_gradient_of_the_unknown_logit_is_the_derived_one():
    network = network_of(*LOGITS)
    UnknownAware(alpha=1).loss(network, batch_of(0), {}).backward()
    found = network.head.bias.grad[KNOWN].item()
    p, h, w = 0.030343, 1.495182, 1 + 1 / 1.030343
    assert found == pytest.approx(0.0183538, abs=1e-7)
    assert found == pytest.approx(p * (w - h * (1 - p) / (1 + p) ** 2), rel=1e-4)


def test_only_a_confidently_wrong_answer_late_in_the_ramp_raises_the_unknown_logit():
    def slope(wrong, alpha):
        network = network_of(0.0, wrong, -6.0)
        UnknownAware(alpha=alpha).loss(network, batch_of(0), {}).backward()
        return network.head.bias.grad[2].item()

    assert slope(3.0, 1.0) < 0  # h = 3.05 is above the threshold of 2
    assert slope(3.0, 0.5) > 0  # and below that of 6
    assert slope(1.5, 1.0) > 0  # h = 1.70


def test_two_unknown_outputs_count_as_one_with_the_sum_of_their_shares():
    half = -1.0 - math.log(2)
    two = network_of(1.0, 2.0, 0.5, half, half, unknown=2)
    loss = UnknownAware(alpha=1).loss(two, batch_of(0), {})
    assert loss.item() == pytest.approx(2.946331, abs=2e-6)


def test_the_first_twentieth_of_the_epochs_is_plain_and_the_loss_in_evaluation_too():
    objective, network, memory = UnknownAware(alpha=1), network_of(*LOGITS), {}
    for epoch in range(5):
        assert objective.loss(network, batch_of(0, epoch=epoch), memory).item() == pytest.approx(1.495182)
    assert objective.loss(network, batch_of(0, epoch=5), memory) > 2.9
    assert objective.loss(network.eval(), batch_of(0, epoch=5), {}).item() == pytest.approx(1.495182)


def test_alpha_follows_the_published_line():
    memory = {"mean": torch.tensor(0.8), "alpha": torch.tensor(0.8 / 64)}
    found = [UnknownAware()._alpha(epoch, 6, 100, memory).item() for epoch in (6, 7, 50, 70, 80, 100)]
    assert found == pytest.approx([0.0125, 0.023005, 0.474734, 0.684840, 0.789894, 1.0], abs=1e-6)


def test_alpha_starts_from_the_running_mean_of_all_steps_and_stays_within_an_epoch():
    objective, memory, mean = UnknownAware(), {}, None
    for step, logits in enumerate([LOGITS, (0.0, 1.0, 2.0, 0.5), (2.0, 0.0, 0.0, 0.0)]):
        # three steps of a training of 20 epochs, whose first epoch is the warm-up
        network = network_of(*logits)
        objective.loss(network, batch_of(0, 2, epoch=0 if step < 2 else 1, epochs=20), memory)
        table = torch.tensor([logits, logits])
        h = cross_entropy(table, torch.tensor([0, 2]), reduction="none")
        beta = ((1 - table.softmax(1)[:, 3]) * h).mean().item()
        mean = beta if mean is None else 0.05 * beta + 0.95 * mean
        assert memory["mean"].item() == pytest.approx(mean, rel=1e-6)
    start = memory["alpha"].item()
    assert start == pytest.approx(mean / 64, rel=1e-6)
    objective.loss(network_of(*LOGITS), batch_of(0, epoch=1, epochs=20), memory)
    assert memory["alpha"].item() == start
    assert memory["mean"].item() != pytest.approx(mean)
    assert not any(tensor.requires_grad for tensor in memory.values())


def test_a_ramp_of_one_epoch_is_its_end():
    assert UnknownAware()._alpha(2, 2, 2, {"mean": torch.tensor(1.0)}) == 1


def test_a_network_without_an_unknown_output_is_refused():
    network = Mlp(hidden=()).network((1, 1, 1), 3, 0).train()
    with pytest.raises(ValueError, match="needs a network with at least 1 unknown output, got 0"):
        UnknownAware().loss(network, batch_of(0), {})


def test_alpha_is_auto_or_a_number():
    assert build(Objective, {"name": "unknown_aware", "alpha": "auto"}) == UnknownAware()
    assert build(Objective, {"name": "unknown_aware", "alpha": 1}).alpha == 1.0
    with pytest.raises(SpecError, match="alpha"):
        build(Objective, {"name": "unknown_aware", "alpha": "high"})


@pytest.mark.parametrize(
    "fields", [{"alpha": -1}, {"final": -0.1}, {"divisor": 0}, {"smoothing": 0}, {"warmup": 1.5}]
)
def test_a_value_out_of_range_is_refused_with_its_name(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        UnknownAware(**fields)
