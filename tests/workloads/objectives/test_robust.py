"""The robust objectives against values by hand, independent references, and what their papers do."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from any_objective import objective
from torch.nn.functional import cross_entropy

from orchestrator.build import build, names
from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.base import Attack
from workloads.attacks.fgsm import Fgsm
from workloads.attacks.pgd import Pgd
from workloads.masks import prunable
from workloads.objectives.adversarial import Adversarial
from workloads.objectives.awp import Awp
from workloads.objectives.base import Batch, Objective
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.objectives.fast import Fast
from workloads.objectives.free import CARRIED, Free
from workloads.objectives.gaussian_noise import GaussianNoise
from workloads.objectives.mart import Mart
from workloads.objectives.trades import Trades
from workloads.objectives.unknown_aware import UnknownAware
from workloads.randomness import derive, normal

SHAPE = (1, 4, 4)


def batch_of(images, labels, samples=None, step=0, attacked=None):
    samples = torch.arange(len(images)) if samples is None else samples
    return Batch(images, torch.tensor(labels), samples, 7, step, 10, 0, 1, attacked=attacked)


@pytest.fixture
def batch():
    images = torch.rand((6, *SHAPE), generator=torch.Generator().manual_seed(0))
    return batch_of(images, [0, 1, 2, 0, 1, 2])


@pytest.fixture
def network():
    return Mlp(hidden=(5,)).network(SHAPE, 3, 0).train()


@pytest.fixture
def normed():
    """A network with batch norm, and an output that no label names."""
    return Resnet8(width=4, unknown_outputs=1).network((1, 8, 8), 3, 0).train()


@pytest.fixture
def colourful():
    images = torch.rand((6, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    return batch_of(images, [0, 1, 2, 0, 1, 2])


def says(*shares):
    """A network of one pixel x with the log-odds of its classes, times x, as logits."""
    network = Mlp(hidden=()).network((1, 1, 1), len(shares), 0).train()
    with torch.no_grad():
        network.head.weight.copy_(torch.tensor(shares).log()[:, None])
        network.head.bias.zero_()
    return network


def one(pixel):
    return torch.full((1, 1, 1, 1), pixel)


def gradients(loss, network):
    return torch.autograd.grad(loss, [*network.parameters()])


def probabilities(network, images):
    """In double precision, from the definition."""
    logits = copy.deepcopy(network).double()(images.double())
    return logits.exp() / logits.exp().sum(1, keepdim=True)


@pytest.mark.parametrize("name", names(Objective))
def test_images_are_attacked_once_even_if_the_loss_is_asked_of_a_prepared_batch(name, normed, colourful):
    twin, asked = copy.deepcopy(normed), objective(name)
    expected = asked.loss(twin, colourful, {})
    prepared = asked.prepared(normed, colourful)
    assert asked.prepared(normed, prepared) is prepared
    assert asked.loss(normed, prepared, {}).item() == expected.item()
    assert all(torch.equal(a, b) for a, b in zip(normed.buffers(), twin.buffers(), strict=True))


@pytest.mark.parametrize("name", ["fast", "trades", "mart", "adversarial", "awp"])
def test_attacked_images_stay_in_the_ball_and_in_the_box(name, normed, colourful):
    data = {"name": name, "epsilon": 0.2}
    if name in ("mart", "adversarial"):
        data = {"name": name, "attack": {"name": "pgd", "epsilon": 0.2}}
    if name == "awp":
        data = {"name": name, "objective": {"name": "trades", "epsilon": 0.2}}
    found = build(Objective, data).prepared(normed, colourful).attacked
    change = (found - colourful.images).abs()
    assert change.max() <= 0.2 + 1e-6
    assert change.max() > 0.15
    assert found.min() >= 0
    assert found.max() <= 1
    assert not found.requires_grad


@pytest.mark.parametrize("name", ["fast", "trades", "mart"])
def test_an_attack_leaves_the_batch_norm_statistics_alone(name, normed, colourful):
    before = [buffer.clone() for buffer in normed.buffers()]
    objective(name).prepared(normed, colourful)
    assert all(torch.equal(a, b) for a, b in zip(normed.buffers(), before, strict=True))


# fast


def test_fast_is_adversarial_training_by_one_step_of_five_quarters_of_the_ball(network, batch):
    step = Pgd(epsilon=0.2, steps=1, step=0.25, random_start=True)
    expected = Adversarial(step, label_smoothing=0.1).loss(network, batch, {})
    assert Fast(epsilon=0.2, label_smoothing=0.1).loss(network, batch, {}).item() == expected.item()


def test_fast_steps_from_where_it_starts_and_not_from_the_image(network, batch):
    grey = replace(batch, images=torch.full_like(batch.images, 0.5))
    change = Fast(epsilon=0.2).prepared(network, grey).attacked - 0.5
    # From a uniform start a step of 0.25 reaches the edge with probability 1/1.6; fgsm always does.
    inside = (change.abs() < 0.2 - 1e-6).float().mean().item()
    assert 0.2 < inside < 0.55


# trades


def test_trades_costs_what_it_costs_by_hand():
    # Clean shares 3/4 and 1/4, attacked ones 1/2 each, the label the first class.
    batch = batch_of(one(1.0), [0], attacked=one(0.0))
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    loss = Trades(beta=6).loss(says(0.75, 0.25), batch, {}).item()
    assert loss == pytest.approx(-math.log(0.75) + 6 * divergence, rel=1e-6)
    assert loss == pytest.approx(1.072554, abs=2e-6)


def test_trades_and_its_gradient_are_those_of_the_definition_in_double_precision(network, batch):
    batch = Trades(epsilon=0.2).prepared(network, batch)
    exact = copy.deepcopy(network).double()
    p, q = (probabilities(exact, images) for images in (batch.images, batch.attacked))
    twin = copy.deepcopy(network).double()
    clean, hard = (twin(images.double()).log_softmax(1) for images in (batch.images, batch.attacked))
    natural = -clean[torch.arange(6), batch.labels].mean()
    expected = natural + 6 * (clean.exp() * (clean - hard)).sum() / 6
    loss = Trades().loss(network, batch, {})
    by_shares = natural + 6 * (p * (p / q).log()).sum(1).mean()
    assert loss.item() == pytest.approx(by_shares.item(), rel=1e-5)
    for found, wanted in zip(gradients(loss, network), gradients(expected, twin), strict=True):
        assert torch.allclose(found.double(), wanted, rtol=1e-3, atol=1e-6)


def test_the_clean_side_of_the_divergence_is_not_detached(network, batch):
    batch = Trades(epsilon=0.2).prepared(network, batch)
    clean, hard = network(batch.images).log_softmax(1), network(batch.attacked).log_softmax(1)
    known = clean.detach()
    natural = cross_entropy(network(batch.images), batch.labels)
    held = natural + 6 * (known.exp() * (known - hard)).sum(1).mean()
    loss = Trades().loss(network, batch, {})
    assert held.item() == pytest.approx(loss.item(), rel=1e-5)
    assert not torch.allclose(gradients(loss, network)[-1], gradients(held, network)[-1], rtol=1e-2)


def test_the_divergence_of_a_linear_model_is_climbed_to_the_corner_on_the_side_of_the_noise(batch):
    network = Mlp(hidden=()).network(SHAPE, 2, 0).train()
    grey = replace(batch, images=torch.full_like(batch.images, 0.5))
    found = Trades(epsilon=0.1).prepared(network, grey).attacked - 0.5
    slope = (network.head.weight[0] - network.head.weight[1]).view(SHAPE)
    noise = normal(derive(7, "divergence"), grey.samples, SHAPE)
    side = (noise * slope).sum((1, 2, 3), keepdim=True).sign()
    assert set(side.flatten().tolist()) == {-1.0, 1.0}
    assert torch.allclose(found, 0.1 * side * slope.sign(), atol=1e-6)


def test_the_start_of_the_climb_belongs_to_the_sample_and_the_step(network, batch):
    trades = Trades(epsilon=0.2, steps=1, step=1e-6)
    whole = trades.prepared(network, batch).attacked
    part = batch_of(batch.images[3:5], [0, 1], torch.tensor([3, 4]))
    assert torch.allclose(trades.prepared(network, part).attacked, whole[3:5], atol=3e-6)
    other = trades.prepared(network, replace(batch, seed=8)).attacked
    assert (other - whole).abs().max() > 1e-4


# mart


def test_mart_costs_what_it_costs_by_hand():
    batch = batch_of(one(1.0), [0], attacked=one(0.0))
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    loss = Mart(beta=5).loss(says(0.75, 0.25), batch, {}).item()
    assert loss == pytest.approx(2 * math.log(2) + 5 * divergence * 0.25, rel=1e-6)
    assert loss == pytest.approx(1.549810, abs=2e-6)


def test_the_margin_of_mart_is_to_the_likeliest_other_class():
    batch = batch_of(one(1.0), [0], attacked=one(1.0))
    loss = Mart(beta=5).loss(says(0.2, 0.5, 0.3), batch, {}).item()
    assert loss == pytest.approx(-math.log(0.2) - math.log(1 - 0.5), rel=1e-5)
    right = batch_of(one(1.0), [1], attacked=one(1.0))
    loss = Mart(beta=5).loss(says(0.2, 0.5, 0.3), right, {}).item()
    assert loss == pytest.approx(-math.log(0.5) - math.log(1 - 0.3), rel=1e-5)


def test_mart_is_the_definition_in_double_precision(network, batch):
    batch = Mart(attack=Pgd(epsilon=0.2)).prepared(network, batch)
    p, q = (probabilities(network, images) for images in (batch.images, batch.attacked))
    rows = torch.arange(6)
    others = torch.stack([row[torch.arange(3) != y].max() for row, y in zip(q, batch.labels, strict=True)])
    boosted = -(q[rows, batch.labels].log() + (1 - others).log())
    weighed = (p * (p / q).log()).sum(1) * (1 - p[rows, batch.labels])
    loss = Mart(beta=3).loss(network, batch, {})
    assert loss.item() == pytest.approx((boosted + 3 * weighed).mean().item(), rel=1e-5)


def test_mart_stays_finite_where_a_wrong_class_is_certain():
    certain = says(1e-30, 1.0)
    loss = Mart().loss(certain, batch_of(one(1.0), [0], attacked=one(1.0)), {})
    assert loss.item() == pytest.approx(2 * 30 * math.log(10), rel=1e-4)
    assert all(gradient.isfinite().all() for gradient in gradients(loss, certain))


def test_mart_attacks_by_cross_entropy_with_the_attack_that_is_named(network, batch):
    attack = Fgsm(epsilon=0.1)
    network.eval()
    wanted = attack(network, batch.images, batch.labels, batch.samples, batch.seed)
    network.train()
    assert torch.equal(Mart(attack=attack).prepared(network, batch).attacked, wanted)


# free


def test_free_moves_the_perturbation_by_the_gradient_of_the_same_backward_pass(network, batch):
    objective, memory = Free(epsilon=0.1, step=0.04), {}
    objective.loss(network, batch, memory).backward()
    seen = batch.images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(network(seen), batch.labels), seen)
    assert torch.allclose(memory[CARRIED], 0.04 * gradient.sign())
    weights = [weight.grad.clone() for weight in network.parameters()]
    for found, wanted in zip(
        weights, gradients(cross_entropy(network(batch.images), batch.labels), network), strict=True
    ):
        assert torch.equal(found, wanted)


def test_free_begins_with_the_carried_perturbation_and_keeps_it_in_the_ball(network, batch):
    objective, memory = Free(epsilon=0.1), {}
    for _ in range(4):
        carried = memory.get(CARRIED, torch.zeros_like(batch.images))
        seen = (batch.images + carried).clamp(0, 1)
        loss = objective.loss(network, batch, memory)
        assert loss.item() == cross_entropy(network(seen), batch.labels).item()
        assert memory.get(CARRIED) is (None if not carried.any() else carried)  # moved by backward alone
        loss.backward()
        assert memory[CARRIED].abs().max() <= 0.1
        assert not memory[CARRIED].requires_grad


def test_a_loss_that_is_not_differentiated_does_not_move_the_perturbation(network, batch):
    memory = {}
    with torch.no_grad():
        Free().loss(network, batch, memory)
    assert memory == {}


# awp


class Watched(CrossEntropy):
    """Notes the weights it is asked at."""

    def loss(self, network, batch, memory):
        named = dict(network.named_parameters())
        memory.setdefault("asked", []).append({name: value.detach().clone() for name, value in named.items()})
        return super().loss(network, batch, memory)


def test_awp_moves_each_layer_along_its_gradient_by_its_share_of_the_length(normed, colourful):
    memory, start = {"asked": []}, {n: w.detach().clone() for n, w in normed.named_parameters()}
    twin = copy.deepcopy(normed)
    Awp(Watched(), gamma=0.02).loss(normed, colourful, memory)
    first, second = memory["asked"]
    assert all(torch.equal(first[name], start[name]) for name in start)
    twin_loss = CrossEntropy().loss(twin, colourful, {})
    slopes = dict(zip(start, gradients(twin_loss, twin), strict=True))
    for name in start:
        change = second[name] - start[name]
        if name in prunable(normed):
            assert change.norm().item() == pytest.approx(0.02 * start[name].norm().item(), rel=1e-3)
            along = torch.cosine_similarity(change.flatten(), slopes[name].flatten(), dim=0)
            assert along.item() > 0.999
        else:
            assert not change.any()
    assert all(torch.equal(weight, start[name]) for name, weight in normed.named_parameters())


def test_the_gradient_of_awp_is_that_at_the_moved_weights(network, batch):
    found = gradients(Awp(CrossEntropy(), gamma=0.1).loss(network, batch, {}), network)
    slopes = gradients(cross_entropy(network(batch.images), batch.labels), network)
    moved = copy.deepcopy(network)
    with torch.no_grad():
        for (name, weight), slope in zip(moved.named_parameters(), slopes, strict=True):
            if name.endswith("weight"):
                weight.add_(0.1 * weight.norm() / slope.norm() * slope)
    wanted = gradients(cross_entropy(moved(batch.images), batch.labels), moved)
    plain = gradients(cross_entropy(network(batch.images), batch.labels), network)
    for one_, two, other in zip(found, wanted, plain, strict=True):
        assert torch.allclose(one_, two, rtol=1e-4, atol=1e-7)
        assert not torch.allclose(one_, other, rtol=1e-2)


def test_weights_that_do_not_exist_are_not_moved(network, batch):
    mask = torch.rand(network.head.weight.shape, generator=torch.Generator().manual_seed(3)) < 0.5
    with torch.no_grad():
        network.head.weight.mul_(mask)
    memory = {"asked": []}
    Awp(Watched(), gamma=0.05).loss(network, batch, memory)
    moved = memory["asked"][1]["head.weight"]
    assert not moved[~mask].any()
    assert (moved - network.head.weight)[mask].count_nonzero() > 5
    length = 0.05 * network.head.weight.norm().item()
    assert (moved - network.head.weight).norm().item() == pytest.approx(length, rel=1e-3)


def test_batch_norm_and_memory_see_the_second_loss_of_awp_alone(normed, colourful):
    twin, memory = copy.deepcopy(normed), {}
    Awp(UnknownAware(), gamma=0.0).loss(normed, colourful, memory)
    known = {}
    UnknownAware().loss(twin, colourful, known)
    assert all(torch.equal(a, b) for a, b in zip(normed.buffers(), twin.buffers(), strict=True))
    assert memory.keys() == known.keys()
    assert memory["mean"].item() == known["mean"].item()


def test_awp_raises_the_loss_and_attacks_the_images_once(network, batch, monkeypatch):
    calls = []
    attack = Attack.__call__

    def counted(self, *given):
        calls.append(self)
        return attack(self, *given)

    monkeypatch.setattr(Attack, "__call__", counted)
    inner = Adversarial(Pgd(epsilon=0.1))
    plain = inner.loss(network, batch, {})
    calls.clear()
    assert Awp(inner, gamma=0.05).loss(network, batch, {}) > plain
    assert len(calls) == 1


def test_awp_warms_up_with_the_plain_loss(network, batch):
    objective = Awp(CrossEntropy(), gamma=0.1, warmup=0.3)
    plain = CrossEntropy().loss(network, batch, {}).item()
    losses = [objective.loss(network, replace(batch, step=step), {}).item() for step in (0, 2, 3, 9)]
    assert losses[:2] == [plain, plain]
    assert min(losses[2:]) > plain


def test_awp_carries_the_perturbation_of_free_once_a_step(network, batch):
    objective, memory = Awp(Free(epsilon=0.1, step=0.03), gamma=0.01), {}
    objective.loss(network, batch, memory).backward()
    assert set((memory[CARRIED].abs() / 0.03).round().unique().tolist()) <= {0.0, 1.0}
    assert memory[CARRIED].any()


def test_awp_promises_what_the_objective_in_it_does():
    assert Awp(Free(replays=4)).replays == 4
    assert Awp(UnknownAware()).unknown
    assert Awp(CrossEntropy()).soft
    assert not Awp().soft
    assert not Awp().unknown
    assert Awp().replays == 1


# gaussian noise


def test_gaussian_noise_shows_the_network_unclipped_images_with_noise_of_each_sample(network, batch):
    seen = []
    network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    GaussianNoise(sigma=0.5).loss(network, batch, {})
    part = batch_of(batch.images[3:5], [0, 1], torch.tensor([3, 4]))
    GaussianNoise(sigma=0.5).loss(network, part, {})
    noise = seen[0] - batch.images
    assert noise.std().item() == pytest.approx(0.5, rel=0.2)
    assert seen[0].min() < 0
    assert seen[0].max() > 1
    assert torch.equal(seen[1], seen[0][3:5])


def test_gaussian_noise_of_nothing_is_cross_entropy(network, batch):
    plain = CrossEntropy(0.1).loss(network, batch, {}).item()
    assert GaussianNoise(sigma=0, label_smoothing=0.1).loss(network, batch, {}).item() == plain


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ({"name": "fast", "epsilon": 8}, "for 0..255 write 8/255"),
        ({"name": "fast", "epsilon": 0}, "epsilon must be above 0"),
        ({"name": "fast", "alpha": 0}, "alpha must be above 0"),
        ({"name": "fast", "label_smoothing": 1}, "label_smoothing must be in"),
        ({"name": "free", "epsilon": 4}, "for 0..255 write 4/255"),
        ({"name": "free", "replays": 0}, "replays must be at least 1"),
        ({"name": "free", "step": 0}, "step must be above 0"),
        ({"name": "trades", "epsilon": 8}, "for 0..255 write 8/255"),
        ({"name": "trades", "beta": -1}, "beta must not be negative"),
        ({"name": "trades", "steps": 0}, "steps must be at least 1"),
        ({"name": "mart", "beta": -1}, "beta must not be negative"),
        ({"name": "mart", "attack": {"name": "pgd", "epsilon": 8}}, "for 0..255 write 8/255"),
        ({"name": "awp", "gamma": -1}, "gamma must not be negative"),
        ({"name": "awp", "warmup": 2}, "warmup is a fraction"),
        ({"name": "gaussian_noise", "sigma": 64}, "for 0..255 write 64/255"),
        ({"name": "gaussian_noise", "sigma": -1}, "sigma must not be negative"),
        ({"name": "gaussian_noise", "label_smoothing": -1}, "label_smoothing must be in"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_rule(data, rule):
    with pytest.raises(Exception, match=rule):
        build(Objective, data)
