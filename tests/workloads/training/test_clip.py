"""A gradient that is too long is cut to length, over all weights that exist."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from workloads.architectures.mlp import Mlp
from workloads.datasets.digits import Digits
from workloads.objectives.cross_entropy import CrossEntropy
from workloads.optimizers.sgd import Sgd
from workloads.schedules.constant import Constant
from workloads.sparse_training.fixed import Fixed
from workloads.stages.train import Train
from workloads.training.host import Host
from workloads.training.loop import train
from workloads.training.recipe import Recipe
from workloads.training.state import State


def state_with_gradients(kept=None):
    """Gradients of 3 and 4 in two weights of the head, zero elsewhere."""
    network = Mlp(hidden=()).network((1, 2, 2), 3, 0)
    state = State(network, Sgd().build(network.parameters()), torch.zeros(1))
    if kept is not None:
        state.adopt({"head.weight": kept})
    network.head.weight.grad = torch.zeros(3, 4)
    network.head.weight.grad[0, 0], network.head.weight.grad[1, 1] = 3, 4
    network.head.bias.grad = torch.zeros(3)
    state.mask_gradients()
    return state


def test_a_gradient_above_the_length_keeps_its_direction():
    state = state_with_gradients()
    state.clip_gradients(2.5)
    assert state.network.head.weight.grad[[0, 1], [0, 1]].tolist() == pytest.approx([1.5, 2], rel=1e-5)


def test_a_gradient_below_the_length_stays():
    state = state_with_gradients()
    before = state.network.head.weight.grad.clone()
    state.clip_gradients(5.01)
    assert torch.equal(state.network.head.weight.grad, before)


def test_weights_that_do_not_exist_do_not_count():
    kept = torch.ones(3, 4, dtype=torch.bool)
    kept[1, 1] = False
    state = state_with_gradients(kept)
    state.clip_gradients(3.01)
    assert state.network.head.weight.grad[0, 0] == 3


def test_the_length_is_that_of_torch():
    state = state_with_gradients()
    twins = [nn.Parameter(weight.detach().clone()) for weight in state.network.parameters()]
    for twin, weight in zip(twins, state.network.parameters(), strict=True):
        twin.grad = weight.grad.clone()
    state.clip_gradients(1.0)
    norm = torch.cat([twin.grad.flatten() for twin in twins]).norm()
    for twin, weight in zip(twins, state.network.parameters(), strict=True):
        assert torch.allclose(weight.grad, twin.grad / norm)


class Nobody:
    def due(self):
        return False

    def latest(self):
        return None


def test_a_step_of_plain_descent_is_as_long_as_the_clipped_gradient(tmp_path):
    data = Digits().learning()
    network = Mlp(hidden=(20,)).network((1, 8, 8), 10, 0)
    before = torch.cat([weight.detach().flatten() for weight in network.parameters()])
    optimizer = Sgd(lr=0.5, momentum=0.0, nesterov=False, weight_decay=0.0)
    one_step = Recipe(1, 5000, 0, optimizer, Constant(), CrossEntropy(), Fixed(), clip_norm=0.01)
    train(one_step, network, {}, data, Host("cpu", tmp_path, Nobody(), lambda done, total, **metrics: None))
    after = torch.cat([weight.detach().flatten() for weight in network.parameters()])
    assert (after - before).norm().item() == pytest.approx(0.5 * 0.01, rel=1e-3)


@pytest.mark.parametrize("norm", [0, -1.0])
def test_a_length_that_is_not_positive_is_refused(norm):
    with pytest.raises(ValueError, match="clip_norm must be positive, got"):
        Train(seed=0, epochs=1, clip_norm=norm)
