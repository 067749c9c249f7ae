"""When EarlyCroP prunes."""

from __future__ import annotations

import math

import pytest
import torch

from workloads.pruning._trigger import drift, settled, threshold


def test_the_drift_is_the_relative_distance_from_the_start():
    start = [torch.tensor([3.0, 0.0]), torch.tensor([[4.0]])]
    now = [torch.tensor([3.0, 3.0]), torch.tensor([[0.0]])]
    assert float(drift(start, now)) == pytest.approx(1)  # |(0, 3, -4)| / |(3, 0, 4)|
    assert float(drift(start, start)) == 0


def test_the_first_drift_sets_the_threshold():
    assert threshold(0.5, 0.98) == pytest.approx(0.01)


def test_the_network_is_pruned_when_the_drift_changes_by_less_than_the_threshold():
    drifts = [0.5, 0.7, 0.8, 0.85, 0.86]  # at a sparsity of 0.8 the threshold is 0.1
    moments = [settled(drifts[:count], 0.8) for count in range(1, 6)]
    assert moments == [False, False, False, True, True]
    assert math.isclose(threshold(0.5, 0.8), 0.1)


def test_a_single_drift_says_nothing_yet():
    assert not settled([], 0.5)
    assert not settled([0.1], 0.0)
