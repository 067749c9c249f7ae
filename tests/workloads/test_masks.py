"""Masks: exact counts, exact zeros, readable names."""

from __future__ import annotations

import torch

from workloads.architectures.mlp import Mlp
from workloads.architectures.resnet8 import Resnet8
from workloads.masks import apply_masks, density, keep_largest, layer_of, prunable


def test_the_largest_scores_are_kept_and_ties_go_to_the_lower_index():
    assert keep_largest(torch.tensor([[1.0, 3.0], [3.0, 3.0]]), 2).tolist() == [[False, True], [True, False]]


def test_ties_can_be_settled_by_other_numbers():
    scores, ties = torch.tensor([1.0, 3.0, 3.0, 3.0]), torch.tensor([0.9, 0.1, 0.3, 0.2])
    assert keep_largest(scores, 2, ties).tolist() == [False, False, True, True]


def test_other_numbers_never_outrank_a_score():
    scores, ties = torch.tensor([5.0, 1.0, 2.0]), torch.tensor([0.0, 0.9, 0.5])
    assert keep_largest(scores, 2, ties).tolist() == [True, False, True]


def test_nothing_and_everything_can_be_kept():
    assert not keep_largest(torch.ones(3), 0).any()
    assert keep_largest(torch.ones(3), 3).all()


def test_prunable_are_convolutions_shortcuts_and_the_head_but_neither_biases_nor_batch_norm():
    names = list(prunable(Resnet8().network((1, 8, 8), 10, 0)))
    assert len(names) == 7 + 2 + 1
    assert names[0] == "body.stem.conv.weight"
    assert names[-1] == "head.weight"
    assert sum("shortcut" in name for name in names) == 2


def test_layers_have_readable_names():
    names = [layer_of(name) for name in prunable(Mlp().network((1, 8, 8), 10, 0))]
    assert names == ["hidden1", "hidden2", "head"]


def test_masked_weights_become_exactly_zero_and_others_stay():
    network = Mlp(hidden=(4,)).network((1, 2, 2), 3, 0)
    before = network.head.weight.clone()
    mask = keep_largest(before, 5)
    apply_masks(network, {"head.weight": mask})
    assert torch.equal(network.head.weight, torch.where(mask, before, 0.0))
    assert network.body.hidden1.weight.count_nonzero() == 16


def test_density_counts_layers_without_a_mask_as_dense():
    network = Mlp(hidden=(4,)).network((1, 2, 2), 3, 0)  # 16 + 12 weights
    assert density({}, network) == 1
    assert density({"head.weight": keep_largest(network.head.weight, 5)}, network) == (16 + 5) / 28
