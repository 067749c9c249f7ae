"""What the literature agrees on about sparse networks, on the mean of three seeds at 97 % sparsity.

They hold for any three of the seeds 0 to 8, by the least margins that stand beside them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import fmean, variance

import pytest

import orchestrator
from orchestrator.report.rows import read
from orchestrator.storage import open_store

SWEEP = """
name: orderings
axes:
  dataset: [digits]
  method: [dense, pruned, lamp, sparse]
  seed: [0, 1, 2]
  criterion:  {values: [random, magnitude], only: {method: pruned}}
  allocation: {values: [uniform, erk], only: {method: pruned}}
  topology:   {values: [static, set, rigl], only: {method: sparse}}
methods:
  dense:  {model: {stage: train, epochs: 15}}
  pruned:
    pruned: {stage: prune, reads: {model: dense.model}, criterion: $criterion, allocation: $allocation}
    model:  {stage: train, reads: {model: pruned}, epochs: 5}
  lamp:
    pruned: {stage: prune, reads: {model: dense.model}, criterion: lamp}
    model:  {stage: train, reads: {model: pruned}, epochs: 5}
  sparse: {model: {stage: train, epochs: 30, sparsify: {name: $topology, sparsity: 0.97}}}
evaluate: {clean: {stage: classify, reads: {model: model}}}
defaults:
  prune: {sparsity: 0.97, seed: $seed}
  train: {architecture: mlp, dataset: $dataset, seed: $seed, batch_size: 64, optimizer: {name: sgd, lr: 0.05}}
overrides: [{when: {topology: [set, rigl]}, set: {sparse.model: {sparsify: {interval: 15}}}}]
"""
#: By how much one mean must be above another: a third of the least difference among any three of nine seeds.
CLEAR = 0.03

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """(method, and what else tells it apart, node.metric) -> a value for each seed."""
    folder = tmp_path_factory.mktemp("orderings")
    (folder / "sweep.yaml").write_text(SWEEP)
    plan = orchestrator.load(folder / "sweep.yaml").plan()
    summary = orchestrator.run(plan, folder / "store", engine="inline")
    assert not summary.failed
    values = defaultdict(list)
    for row in read(plan, open_store(folder / "store")).rows():
        told = [
            str(row.keys[key]) for key in ("method", "criterion", "allocation", "topology") if key in row.keys
        ]
        values[" ".join(told), f"{row.node}.{row.metric}"].append(row.value)
    return values


@pytest.fixture(scope="module")
def accuracy(found):
    """What tells a method apart -> the test accuracy of each seed."""
    return {name: values for (name, metric), values in found.items() if metric == "clean.test.accuracy"}


@pytest.mark.parametrize("allocation", ["uniform", "erk"])
def test_magnitude_is_above_random_where_both_spread_alike(accuracy, allocation):
    # 48 points at least
    lower, higher = accuracy[f"pruned random {allocation}"], accuracy[f"pruned magnitude {allocation}"]
    assert fmean(higher) - fmean(lower) > CLEAR


def test_erk_is_above_uniform(accuracy):
    # 9.1 points at least
    assert fmean(accuracy["pruned magnitude erk"]) - fmean(accuracy["pruned magnitude uniform"]) > CLEAR


def test_lamp_is_above_uniform(accuracy):
    # 9.4 points at least
    assert fmean(accuracy["lamp"]) - fmean(accuracy["pruned magnitude uniform"]) > CLEAR


@pytest.mark.parametrize("topology", ["set", "rigl"])
def test_a_topology_that_moves_is_no_worse_than_one_that_stays_within_noise(accuracy, topology):
    # 4.2 points above at least
    still, moving = accuracy["sparse static"], accuracy[f"sparse {topology}"]
    assert len(still) == len(moving) == 3
    noise = math.sqrt((variance(still) + variance(moving)) / 3)
    assert fmean(moving) > fmean(still) - noise


@pytest.mark.parametrize("topology", ["set", "rigl"])
def test_these_topologies_moved_often_enough_to_tell(found, topology):
    assert min(found[f"sparse {topology}", "model.updates"]) >= 20


def test_a_sparse_network_is_no_better_than_the_dense_one_but_above_chance(accuracy):
    assert fmean(accuracy["dense"]) > max(
        fmean(values) for name, values in accuracy.items() if name != "dense"
    )
    assert fmean(accuracy["lamp"]) > 0.8
