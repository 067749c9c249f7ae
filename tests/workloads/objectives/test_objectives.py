"""Every objective: a finite loss with gradients, the network left in training mode; then values by hand."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from any_objective import objective
from torch.nn.functional import cross_entropy

from orchestrator.build import build, names
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.fgsm import Fgsm
from workloads.attacks.pgd import Pgd
from workloads.objectives.adversarial import Adversarial
from workloads.objectives.base import Batch, Objective
from workloads.objectives.cross_entropy import CrossEntropy

OBJECTIVES = names(Objective)


def batch_of(count=6, seed=7, shape=(1, 8, 8), classes=10):
    generator = torch.Generator().manual_seed(0)
    return Batch(
        images=torch.rand((count, *shape), generator=generator),
        labels=torch.arange(count) % classes,
        samples=torch.arange(count),
        seed=seed,
        step=3,
        steps=10,
        epoch=1,
        epochs=4,
    )


@pytest.fixture
def network():
    return Resnet8(width=4, unknown_outputs=1).network((1, 8, 8), 10, 0).train()


def statistics(network):
    return [buffer.clone() for buffer in network.buffers()]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_loss_is_a_finite_scalar_with_a_gradient_for_every_weight(name, network):
    loss = objective(name).loss(network, batch_of(), {})
    assert loss.shape == ()
    loss.backward()
    assert loss.isfinite()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_loss_repeats_itself_and_leaves_the_global_random_state_and_the_mode(name, network):
    state, twin = torch.get_rng_state(), copy.deepcopy(network)
    first, second = (objective(name).loss(one, batch_of(), {}).item() for one in (network, twin))
    assert first == second
    assert network.training
    assert all(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_weight_learns_in_half_precision_too_after_an_attack_without_gradients(name, network):
    # Casts of weights are kept within autocast: one made without gradients must not serve the loss.
    with torch.autocast("cpu", torch.bfloat16):
        loss = objective(name).loss(network, batch_of(), {})
    loss.backward()
    assert loss.isfinite()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_batch_of_one_works(name, network):
    assert objective(name).loss(network, batch_of(count=1), {}).isfinite()


def test_cross_entropy_of_equal_logits_is_the_log_of_the_outputs():
    network = Mlp(hidden=(), unknown_outputs=1).network((1, 8, 8), 10, 0)
    torch.nn.init.zeros_(network.head.weight)
    loss = CrossEntropy().loss(network, batch_of(), {})
    assert math.isclose(loss.item(), math.log(11), rel_tol=1e-6)


def test_label_smoothing_spreads_the_target():
    network = Mlp(hidden=()).network((1, 1, 1), 2, 0)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([2.0, 0.0]))
    batch = batch_of(count=1, shape=(1, 1, 1), classes=2)
    log_p = [-math.log1p(math.exp(-2)), -2 - math.log1p(math.exp(-2))]
    expected = -(0.9 * log_p[0] + 0.1 * log_p[1])
    assert math.isclose(
        CrossEntropy(label_smoothing=0.2).loss(network, batch, {}).item(), expected, rel_tol=1e-6
    )


def test_an_attack_raises_the_loss(network):
    clean = CrossEntropy().loss(network, batch_of(), {})
    assert Adversarial(attack=Pgd(epsilon=0.1)).loss(network, batch_of(), {}) > clean


def test_half_and_half_is_the_mean_of_the_clean_and_the_attacked_loss():
    # No batch norm here, so the two losses can be computed apart.
    network, batch = Mlp(hidden=(5,)).network((1, 8, 8), 10, 0), batch_of()
    attack = Fgsm(epsilon=0.1)
    attacked = attack(network, batch.images, batch.labels, batch.samples, batch.seed)
    clean, hard = (cross_entropy(network(images), batch.labels) for images in (batch.images, attacked))
    for joint in (True, False):
        loss = Adversarial(attack=attack, mix=0.5, joint=joint).loss(network, batch, {})
        assert math.isclose(loss.item(), 0.5 * clean.item() + 0.5 * hard.item(), rel_tol=1e-6)


def test_a_mix_of_one_is_plain_cross_entropy(network):
    mixed = Adversarial(mix=1, label_smoothing=0.1).loss(network, batch_of(), {})
    assert mixed == CrossEntropy(label_smoothing=0.1).loss(network, batch_of(), {})


def test_building_the_attack_leaves_the_batch_norm_statistics_alone(network):
    # With epsilon 0 the attacked images are the clean ones: one training pass, whatever the attack computed.
    before = statistics(network)
    Adversarial(attack=Pgd(epsilon=0, step=0.1)).loss(network, batch_of(), {})
    attacked = statistics(network)
    for buffer, start in zip(network.buffers(), before, strict=True):
        buffer.copy_(start)
    CrossEntropy().loss(network, batch_of(), {})
    assert all(torch.equal(one, two) for one, two in zip(attacked, statistics(network), strict=True))


def test_clean_and_attacked_images_share_batch_norm_only_if_asked(network):
    joint, apart = (
        Adversarial(attack=Pgd(epsilon=0.3), mix=0.5, joint=joint).loss(network, batch_of(), {}).item()
        for joint in (True, False)
    )
    assert not math.isclose(joint, apart, rel_tol=1e-4)


def test_random_starts_change_with_the_seed_of_the_step():
    network = Mlp(hidden=(5,)).network((1, 8, 8), 10, 0)
    objective = Adversarial(attack=Pgd(epsilon=0.3, steps=1, step=0.01))
    losses = {objective.loss(network, batch_of(seed=seed), {}).item() for seed in (1, 2, 3)}
    assert len(losses) == 3


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ({"name": "adversarial", "mix": 1.5}, "mix is a weight"),
        ({"name": "adversarial", "label_smoothing": 1}, "label_smoothing must be in"),
        ({"name": "cross_entropy", "label_smoothing": -0.1}, "label_smoothing must be in"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_rule(data, rule):
    with pytest.raises(Exception, match=rule):
        build(Objective, data)
