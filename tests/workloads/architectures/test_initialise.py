from __future__ import annotations

import pytest
import torch
from torch import nn

from workloads.architectures._initialise import initialise


class Small(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(50, 40)


def test_glorot_draws_every_layer_uniformly_within_its_bound() -> None:
    net = Small(nn.Linear(30, 50))
    initialise(net, 0, "glorot")
    for layer in (net.body[0], net.head):
        bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
        assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert layer.weight.abs().max() <= bound
        assert layer.weight.var().item() == pytest.approx(bound**2 / 3, rel=0.1)


def test_a_layer_without_a_rule_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"body\.0: there is no rule for the first weights of a GroupNorm"):
        initialise(Small(nn.GroupNorm(2, 4)), 0)


def test_a_new_layer_changes_no_other_layers_weights() -> None:
    one, two = Small(nn.Linear(50, 50)), Small(nn.Linear(50, 50), nn.Linear(50, 50))
    initialise(one, 3)
    initialise(two, 3)
    assert torch.equal(one.body[0].weight, two.body[0].weight)
    assert torch.equal(one.head.weight, two.head.weight)
