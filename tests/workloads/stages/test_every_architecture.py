"""Every architecture goes the whole way: it trains, is pruned and tuned, and is attacked."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from small_networks import small

from orchestrator.build import names
from workloads.architectures.base import Architecture
from workloads.attacks.fgsm import Fgsm
from workloads.datasets.digits import Digits
from workloads.masks import prunable
from workloads.pruning.magnitude import Magnitude
from workloads.stages._networks import read
from workloads.stages.attack import Attack
from workloads.stages.prune import Prune
from workloads.stages.train import Train

SPARSITY = 0.6


@pytest.mark.parametrize("name", names(Architecture))
def test_a_network_is_trained_pruned_tuned_and_attacked(name, runs):
    first = Train(seed=0, epochs=1, architecture=small(name), dataset=Digits(keep=(0, 1)), batch_size=64)
    dense, _ = runs(first)
    pruned, cut = runs(Prune(criterion=Magnitude(), sparsity=SPARSITY), model=dense.output)
    tuned, metrics = runs(Train(seed=0, epochs=1, batch_size=64), model=pruned.output)
    model, before = read(tuned.output), read(dense.output)
    size = sum(weight.numel() for weight in prunable(model.network).values())
    kept = sum(int(mask.sum()) for mask in model.masks.values())
    assert kept == round((1 - SPARSITY) * size)
    assert metrics["density"] == cut["density"] == kept / size
    assert not before.masks
    saved = load_file(tuned.output / "model.safetensors")
    for key, weight in prunable(model.network).items():
        assert torch.equal(weight, saved[key])
        assert not weight[~model.masks[key]].any()
        assert not torch.equal(weight, load_file(pruned.output / "model.safetensors")[key])
    _, robust = runs(Attack(attack=Fgsm(epsilon=0.2), samples=20, suspect=False), model=tuned.output)
    assert robust["test.accuracy"] <= robust["test.clean_accuracy"]
