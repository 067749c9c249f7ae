"""What a network costs, by hand and against torch's own counter; what a training costs, by the formulas."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from workloads.architectures.lenet import Lenet
from workloads.architectures.mlp import Mlp
from workloads.architectures.mobilenet_v2 import MobilenetV2
from workloads.architectures.resnet8 import Resnet8
from workloads.architectures.vit_tiny import VitTiny
from workloads.attacks.pgd import Pgd
from workloads.datasets.digits import Digits
from workloads.masks import keep_largest, prunable
from workloads.objectives.adversarial import Adversarial
from workloads.pruning.magnitude import Magnitude
from workloads.sparse_training.fixed import Fixed
from workloads.sparse_training.rigl import Rigl
from workloads.sparse_training.set import Set
from workloads.sparse_training.static import Static
from workloads.sparsity.uniform import Uniform
from workloads.stages.initialise import Initialise
from workloads.stages.prune import Prune
from workloads.stages.train import Train
from workloads.training.cost import cost_of, latency, layer_flops, sparse_flops

SHAPE = (1, 8, 8)
DENSE = 2 * (64 * 30 + 30 * 10)
#: Images of one training of two epochs: nine batches of 128 each.
IMAGES = 2 * 9 * 128


def test_a_linear_layer_costs_two_flops_a_weight():
    network = Mlp(hidden=(30,)).network(SHAPE, 10, 0)
    assert layer_flops(network) == {"body.hidden1.weight": 2 * 64 * 30, "head.weight": 2 * 30 * 10}


@pytest.mark.parametrize(
    "architecture", [Mlp(), Lenet(), Resnet8(width=4, unknown_outputs=2), MobilenetV2(), VitTiny()]
)
@pytest.mark.parametrize("size", [16, 21])
def test_the_flops_are_those_that_torch_counts(architecture, size):
    network = architecture.network((3, size, size), 10, 0).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, size, size))
    assert sum(layer_flops(network).values()) == counter.get_total_flops()


def test_looking_at_the_cost_leaves_the_network_as_it_was():
    network = Resnet8(width=4).network(SHAPE, 10, 0).train()
    before = [tensor.clone() for tensor in network.state_dict().values()]
    cost_of(network, {})
    assert latency(network) > 0
    assert network.training
    assert all(torch.equal(one, two) for one, two in zip(before, network.state_dict().values(), strict=True))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_the_cost_of_a_sparse_network_by_hand():
    network = Mlp(hidden=(30,)).network(SHAPE, 10, 0)
    masks = {"body.hidden1.weight": keep_largest(network.body.hidden1.weight.detach().abs(), 192)}
    assert cost_of(network, masks) == {
        "parameters": 1920 + 30 + 300 + 10,
        "nonzeros": 192 + 30 + 300 + 10,
        "inference_flops": 2 * 192 + 2 * 300,
        "inference_flops_dense": DENSE,
        "bytes": 4 * (192 + 30 + 300 + 10) + 1920 / 8,
    }


def test_a_layer_costs_its_own_share():
    network = Resnet8(width=4).network(SHAPE, 10, 0)
    flops = layer_flops(network)
    masks = {
        name: keep_largest(weight.detach(), weight.numel() // (2 + place))
        for place, (name, weight) in enumerate(prunable(network).items())
    }
    expected = sum(flops[name] * int(mask.sum()) / mask.numel() for name, mask in masks.items())
    assert sparse_flops(flops, masks) == pytest.approx(expected, rel=1e-12)


STATIC = 3 * DENSE / 2
FORMULAS = {
    "dense": (Fixed(), 3 * DENSE),
    "static": (Static(sparsity=0.5, allocation=Uniform()), STATIC),
    "set": (Set(sparsity=0.5, allocation=Uniform(), interval=3, end=1.0), STATIC),
    # Evci et al., appendix H, with delta T = 2: every third step is an update.
    "rigl": (
        Rigl(sparsity=0.5, allocation=Uniform(), interval=3, end=1.0),
        (3 * DENSE / 2 * 2 + 2 * DENSE / 2 + DENSE) / 3,
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_training_costs_what_the_published_formulas_say(name, runs):
    sparsify, per_image = FORMULAS[name]
    _, metrics = runs(runs.small(sparsify=sparsify))
    assert metrics["training_flops"] == pytest.approx(IMAGES * per_image, rel=1e-12)


def test_the_passes_of_an_attack_are_counted(runs):
    # Three steps of two passes each and the training pass of three; a bare pass judges each start and step.
    attack = Pgd(epsilon=0.1, steps=3)
    network = Mlp(hidden=(30,)).network(SHAPE, 10, 0)
    passes = []
    network.body.register_forward_pre_hook(
        lambda body, given: passes.append(2 if torch.is_grad_enabled() else 1)
    )
    images, labels = torch.rand(4, *SHAPE), torch.arange(4)
    attack(network, images, labels, torch.arange(4), 0)
    assert passes.count(2) == 3
    _, metrics = runs(runs.small(objective=Adversarial(attack=attack)))
    assert metrics["training_flops"] == pytest.approx(IMAGES * DENSE * (sum(passes) + 3), rel=1e-12)
    _, mixed = runs(runs.small(objective=Adversarial(attack=attack, mix=0.5)))
    assert mixed["training_flops"] == pytest.approx(IMAGES * DENSE * (sum(passes) + 6), rel=1e-12)


def test_a_fresh_network_costs_what_it_takes_to_run_and_has_cost_nothing_to_train(runs):
    _, metrics = runs(Initialise(architecture=Mlp(hidden=(30,)), dataset=Digits(), seed=0))
    assert (metrics["epochs"], metrics["training_flops"]) == (0, 0)
    assert (metrics["inference_flops"], metrics["nonzeros"]) == (DENSE, DENSE / 2 + 40)


def test_the_flops_add_up_over_the_ancestry(runs):
    start = runs.output(Initialise(architecture=Mlp(hidden=(30,)), dataset=Digits(), seed=0))
    first, metrics = runs(runs.small(), model=start)
    assert metrics["training_flops"] == IMAGES * 3 * DENSE
    prune = Prune(criterion=Magnitude(), allocation=Uniform(), sparsity=0.5)
    pruned, cut = runs(prune, model=first.output)
    assert cut["training_flops"] == metrics["training_flops"]
    assert cut["inference_flops"] == DENSE / 2
    _, back = runs(prune, model=first.output, weights=start)
    assert (back["training_flops"], back["epochs"]) == (metrics["training_flops"], 2)
    _, tuned = runs(Train(seed=0, epochs=1), model=pruned.output)
    assert tuned["training_flops"] == metrics["training_flops"] + IMAGES / 2 * 3 * DENSE / 2
    assert tuned["nonzeros"] == 1110 + 40
