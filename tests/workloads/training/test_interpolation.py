"""Networks on a line, and the rule that takes one."""

from __future__ import annotations

import pytest
import torch

from workloads.architectures.resnet8 import Resnet8
from workloads.training.interpolation import best_within, between


def network(seed):
    made = Resnet8(width=4).network((1, 8, 8), 4, seed).train()
    generator = torch.Generator().manual_seed(seed)
    made(torch.rand((8, 1, 8, 8), generator=generator))  # so that batch norm has statistics of its own
    return made


def test_the_ends_of_the_line_are_the_two_networks_and_the_middle_is_their_mean():
    start, end = network(0), network(1)
    tensors = [each.state_dict() for each in (start, end)]
    before = [{name: value.clone() for name, value in each.items()} for each in tensors]
    found = [between(start, end, share).state_dict() for share in (0, 0.5, 1)]
    for name, one in tensors[0].items():
        two = tensors[1][name]
        assert torch.equal(found[0][name], one)
        assert torch.equal(found[2][name], two)
        if one.is_floating_point():
            assert torch.allclose(found[1][name], (one + two) / 2, atol=1e-6)
    assert all(
        torch.equal(each[name], old[name]) for each, old in zip(tensors, before, strict=True) for name in each
    )


NATURAL = [0.80, 0.81, 0.83, 0.82, 0.85, 0.83]
ROBUST = [0.500, 0.501, 0.4995, 0.4990, 0.497, 0.4992]


@pytest.mark.parametrize(
    ("drop", "place"),
    [
        (0, 1),  # only the first two are as robust as the first
        (0.001, 2),  # 0.4990 is 0.1 point below; of the two with 0.83 the more robust
        (0.003, 4),
        (1, 4),
    ],
)
def test_the_best_natural_accuracy_is_taken_of_those_that_stay_robust(drop, place):
    assert best_within(NATURAL, ROBUST, drop) == place


def test_a_drop_of_just_as_much_as_is_allowed_is_allowed():
    # 0.3 - 0.1 is 0.19999999999999998 in floating point
    assert best_within([0.5, 0.6], [0.3, 0.2], 0.1) == 1


def test_of_equal_networks_the_nearest_to_the_start_is_taken():
    assert best_within([0.5, 0.5, 0.5], [0.3, 0.3, 0.3], 0.1) == 0
