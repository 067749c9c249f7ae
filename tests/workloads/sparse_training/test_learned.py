"""Masks that are learned: as autograd does it straight through a selection, with weights that never move."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.attacks.pgd import Pgd
from workloads.datasets.digits import Digits
from workloads.masks import keep_largest, prunable
from workloads.objectives.adversarial import Adversarial
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.optimizers.sgd import Sgd
from workloads.schedules.constant import Constant
from workloads.sparse_training.edge_popup import EdgePopup
from workloads.sparse_training.fixed import Fixed
from workloads.sparse_training.hydra import Hydra
from workloads.sparsity.uniform import Uniform
from workloads.training import loop
from workloads.training.host import Host
from workloads.training.loop import train
from workloads.training.recipe import Recipe


class Nobody:
    def due(self):
        return False

    def latest(self):
        return None


@pytest.fixture(scope="module")
def data():
    return Digits().learning()


def run(sparsify, network, data, folder, **given):
    fields = {"epochs": 1, "batch_size": 128, "seed": 0, "optimizer": Sgd(), "schedule": Constant()}
    recipe = Recipe(**fields | {"objective": CrossEntropy(), "sparsify": sparsify} | given)
    return train(recipe, network, {}, data, Host("cpu", folder, Nobody(), lambda *_, **__: None))


class Select(torch.autograd.Function):
    """The published selection: the largest in the forward pass, the identity in the backward pass."""

    @staticmethod
    def forward(ctx, scores, kept):
        return keep_largest(scores, kept).to(scores.dtype)

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def test_every_step_is_that_of_autograd_straight_through_the_selection(data, tmp_path, monkeypatch):
    sparsify = EdgePopup(sparsity=0.75)
    network = Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)
    reference = Mlp(hidden=(20,)).network((1, 8, 8), 10, 0).requires_grad_(False)
    scores = sparsify.learning(reference, {}, 5).scores
    optimizer = torch.optim.SGD(scores.values(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    kept = Uniform().kept({name: score.detach() for name, score in scores.items()}, 0.75)
    seen = []
    monkeypatch.setattr(loop, "derive", lambda seed, *purpose: 5 if purpose == ("start",) else seed)
    step = loop._step

    def watched(recipe, state, batch):
        own = {
            name: weight * Select.apply(scores[name].abs(), kept[name])
            for name, weight in prunable(reference).items()
        }
        hidden = linear(batch.images.flatten(1), own["body.hidden1.weight"]).relu()  # the biases are zero
        logits = linear(hidden, own["head.weight"])
        optimizer.zero_grad()
        cross_entropy(logits, batch.labels).backward()
        optimizer.step()
        loss = step(recipe, state, batch)
        seen.append({name: (score.detach().clone(), state.masks[name]) for name, score in scores.items()})
        for name, score in state.learning.scores.items():
            torch.testing.assert_close(score, scores[name])
        return loss

    monkeypatch.setattr(loop, "_step", watched)
    run(sparsify, network, data, tmp_path)
    assert len(seen) == 9
    for score, mask in (pair for found in seen for pair in found.values()):
        assert torch.equal(mask, keep_largest(score.abs(), int(mask.sum())))
    first, last = seen[0]["head.weight"][1], seen[-1]["head.weight"][1]
    assert not torch.equal(first, last)


@pytest.mark.parametrize("sparsify", [EdgePopup(sparsity=0.8), Hydra(sparsity=0.8)], ids=["popup", "hydra"])
def test_weights_and_biases_never_move_and_batch_norm_only_where_asked(sparsify, data, tmp_path):
    before = Resnet8(width=4).network((1, 8, 8), 10, 0)
    trained = run(sparsify, Resnet8(width=4).network((1, 8, 8), 10, 0), data, tmp_path)
    after, norms = dict(trained.network.named_parameters()), set()
    for name, parameter in before.named_parameters():
        if name in trained.masks:
            assert torch.equal(after[name], parameter * trained.masks[name])
        elif torch.equal(after[name], parameter):
            continue
        else:
            norms.add(name)
    assert all(".norm" in name for name in norms)
    assert bool(norms) == sparsify.batch_norm


@pytest.mark.parametrize("objective", [CrossEntropy(), Adversarial(attack=Pgd(epsilon=0.1, steps=2))])
def test_a_good_mask_of_a_trained_network_is_found(objective, data, tmp_path):
    network = Mlp(hidden=(60,)).network((1, 8, 8), 10, 0)
    run(Fixed(), network, data, tmp_path, epochs=6)
    trained = run(Hydra(sparsity=0.8), network, data, tmp_path, epochs=4, objective=objective)
    assert trained.metrics["validation.accuracy"] > 0.85


def test_hydra_starts_from_the_weights_of_each_layer():
    weight = torch.tensor([[0.5, -0.25, 0.0], [0.1, 0.2, -0.05]])
    found = Hydra(sparsity=0.5).first_scores({"w": weight}, 0)["w"]
    torch.testing.assert_close(found, weight * math.sqrt(6 / 3) / 0.5)


def test_edge_popup_starts_uniform_within_the_inverse_root_of_the_inputs():
    weights = {"w": torch.zeros(50, 4, 5, 5), "v": torch.zeros(50, 4, 5, 5)}
    found = EdgePopup(sparsity=0.5).first_scores(weights, 3)
    assert 0.099 < float(found["w"].abs().max()) <= 0.1
    assert abs(float(found["w"].mean())) < 0.1 / math.sqrt(3) / math.sqrt(5000) * 4
    assert not torch.equal(found["w"], found["v"])


def test_edge_popup_can_select_from_signs():
    network = Mlp(hidden=(8,)).network((1, 2, 2), 3, 0)
    found = EdgePopup(sparsity=0.5, weights="signed_constant").learning(network, {}, 0).weights
    weight = network.body.hidden1.weight.detach()
    torch.testing.assert_close(found["body.hidden1.weight"], weight.sign() * math.sqrt(2 / 4))


def test_what_a_network_has_lost_is_never_selected_from(data, tmp_path):
    network = Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)
    lost = {name: torch.rand(weight.shape) < 0.5 for name, weight in prunable(network).items()}
    for sparsify in (EdgePopup(sparsity=0.8), Hydra(sparsity=0.8)):
        recipe = Recipe(1, 128, 0, Sgd(), Constant(), CrossEntropy(), sparsify)
        host = Host("cpu", tmp_path, Nobody(), lambda *_, **__: None)
        trained = train(recipe, Mlp(hidden=(20,)).network((1, 8, 8), 10, 0), lost, data, host)
        assert all(not (mask & ~lost[name]).any() for name, mask in trained.masks.items())
