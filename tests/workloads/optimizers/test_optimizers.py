"""Every optimizer: it moves weights, leaves dead ones dead, comes back from its state; then one step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orchestrator.build import build, names
from workloads.optimizers.adam import Adam
from workloads.optimizers.adamw import AdamW
from workloads.optimizers.base import Optimizer
from workloads.optimizers.sgd import Sgd

OPTIMIZERS = names(Optimizer)


def take_steps(torch_optimizer, weight, count, first=0):
    for step in range(first, first + count):
        weight.grad = torch.sin(torch.arange(weight.numel()) + step).view(weight.shape)
        torch_optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_descends(name):
    weight = nn.Parameter(torch.full((4,), 3.0))
    optimizer = build(Optimizer, {"name": name, "lr": 0.1}).build([weight])
    for _ in range(300):
        weight.grad = 2 * weight.detach()
        optimizer.step()
    assert weight.abs().max() < 0.1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_zero_weight_without_gradients_stays_exactly_zero_under_weight_decay(name):
    # The training loop relies on this: it masks gradients, not weights.
    weight = nn.Parameter(torch.tensor([0.0, 1.0]))
    optimizer = build(Optimizer, {"name": name, "weight_decay": 0.1}).build([weight])
    for _ in range(5):
        weight.grad = torch.tensor([0.0, 1.0])
        optimizer.step()
    assert weight[0].item() == 0
    assert all(
        memory[0].item() == 0
        for memory in optimizer.state[weight].values()
        if isinstance(memory, torch.Tensor) and memory.shape == weight.shape
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_goes_on_bit_identically_from_its_saved_state(name, tmp_path):
    through = nn.Parameter(torch.linspace(-1, 1, 37))
    optimizer = build(Optimizer, name).build([through])
    take_steps(optimizer, through, 3)
    torch.save((through.detach(), optimizer.state_dict()), tmp_path / "state.pt")
    take_steps(optimizer, through, 4, first=3)
    values, state = torch.load(tmp_path / "state.pt", weights_only=True)
    resumed = nn.Parameter(values)
    other = build(Optimizer, name).build([resumed])
    other.load_state_dict(state)
    take_steps(other, resumed, 4, first=3)
    assert torch.equal(through, resumed)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_rate_is_the_field_that_schedules_scale(name):
    optimizer = build(Optimizer, {"name": name, "lr": 0.25})
    assert optimizer.rate == 0.25
    assert optimizer.build([nn.Parameter(torch.ones(1))]).param_groups[0]["lr"] == 0.25


def test_two_nesterov_steps_by_hand():
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = Sgd(lr=0.1, momentum=0.5, weight_decay=0.0).build([weight])
    for _ in range(2):
        weight.grad = torch.tensor([1.0])
        optimizer.step()
    # first: v = 1, step 1 + 0.5 = 1.5; then: v = 1.5, step 1 + 0.75 = 1.75
    assert weight.item() == pytest.approx(1 - 0.1 * (1.5 + 1.75))


def test_the_first_step_of_adam_has_the_length_of_the_rate():
    weight = nn.Parameter(torch.tensor([1.0, 1.0]))
    optimizer = Adam(lr=0.01).build([weight])
    weight.grad = torch.tensor([100.0, -0.01])
    optimizer.step()
    assert weight.tolist() == pytest.approx([0.99, 1.01], abs=1e-5)


def test_adamw_shrinks_the_weight_before_it_steps_and_adam_adds_the_decay_to_the_gradient():
    moved = []
    for optimizer in (AdamW(lr=0.01, weight_decay=0.5), Adam(lr=0.01, weight_decay=0.5)):
        weight = nn.Parameter(torch.tensor([2.0]))
        torch_optimizer = optimizer.build([weight])
        weight.grad = torch.tensor([-0.5])
        torch_optimizer.step()
        moved.append(weight.item())
    # AdamW: 2 * (1 - 0.01 * 0.5) + 0.01; Adam: the gradient -0.5 + 0.5 * 2 is positive, so 2 - 0.01.
    assert moved == pytest.approx([2.0, 1.99], abs=1e-6)


@pytest.mark.parametrize(
    ("lean", "plain"),
    [
        (Sgd(lr=0.1, momentum=0.9), lambda weights: torch.optim.SGD(weights, 0.1, 0.9, 0, 5e-4, True)),
        (
            Sgd(lr=0.1, momentum=0.0, nesterov=False),
            lambda weights: torch.optim.SGD(weights, 0.1, weight_decay=5e-4),
        ),
        (Adam(), lambda weights: torch.optim.Adam(weights)),
        (AdamW(), lambda weights: torch.optim.AdamW(weights)),
    ],
)
def test_ten_steps_are_those_of_plain_torch(lean, plain):
    weights = [nn.Parameter(torch.linspace(-1, 1, 37)) for _ in range(2)]
    for weight, optimizer in zip(weights, (lean.build(weights[:1]), plain(weights[1:])), strict=True):
        take_steps(optimizer, weight, 10)
    assert torch.allclose(weights[0], weights[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ({"name": "sgd", "lr": 0}, "lr must be positive"),
        ({"name": "sgd", "momentum": 1}, "momentum must be in"),
        ({"name": "sgd", "momentum": 0}, "nesterov needs a momentum"),
        ({"name": "sgd", "weight_decay": -1}, "weight_decay must not be negative"),
        ({"name": "adam", "lr": -1}, "lr must be positive"),
        ({"name": "adam", "betas": [0.9, 1]}, "betas must be in"),
        ({"name": "adam", "epsilon": 0}, "epsilon must be positive"),
        ({"name": "adam", "weight_decay": -1}, "weight_decay must not be negative"),
        ({"name": "adamw", "lr": 0}, "lr must be positive"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_rule(data, rule):
    with pytest.raises(Exception, match=rule):
        build(Optimizer, data)
